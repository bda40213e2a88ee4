package closedloop

import (
	"testing"
	"time"
)

const wrkGood = `Running 5s test @ http://127.0.0.1:8080/
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.53ms    2.10ms  45.83ms   95.41%
    Req/Sec    49.88k     3.52k   54.04k    78.00%
  Latency Distribution
     50%    1.20ms
     75%    1.40ms
     90%    1.90ms
     99%   10.98ms
  248312 requests in 5.01s, 312.45MB read
Requests/sec:  49563.11
Transfer/sec:     62.37MB
`

func TestWrkIsRead(t *testing.T) {
	s, err := parseWrk(wrkGood)
	if err != nil || s.Ops != 248312 || s.Took != 5010*time.Millisecond || s.P50 != 1200*time.Microsecond || s.P99 != 10980*time.Microsecond || s.Errors != 0 {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestErrorsOfWrkAreErrors(t *testing.T) {
	s, err := parseWrk(wrkGood + "  Socket errors: connect 0, read 3, write 0, timeout 1\n  Non-2xx or 3xx responses: 17\n")
	if err != nil || s.Errors != 21 || len(s.Remarks) != 2 {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := parseWrk("unable to connect to 127.0.0.1:1 Connection refused"); err == nil {
		t.Error("nothing measured is no error")
	}
}

const h2Good = `starting benchmark...
TLS Protocol: TLSv1.3
Cipher: TLS_AES_128_GCM_SHA256
Server Temp Key: X25519 253 bits
Application protocol: h2
Main benchmark duration is started for thread #0. Stopping all clients.

finished in 5.00s, 28014.20 req/s, 28.51MB/s
requests: 140071 total, 140135 started, 140071 done, 140071 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 140071 2xx, 0 3xx, 0 4xx, 0 5xx
`

func TestH2loadIsRead(t *testing.T) {
	s, err := parseH2load(h2Good)
	if err != nil || s.Ops != 140071 || s.Took != 5*time.Second || s.Errors != 0 {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestRefusalsAndADowngradeOfH2loadAreErrors(t *testing.T) {
	bad := "Application protocol: h2\nfinished in 5.00s, 1.0 req/s, 1MB/s\nrequests: 10 total, 12 started, 10 done, 7 succeeded, 3 failed, 1 errored, 0 timeout\nstatus codes: 7 2xx, 0 3xx, 1 4xx, 2 5xx\n"
	if s, err := parseH2load(bad); err != nil || s.Errors != 7 {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := parseH2load(h2Good[:40] + "finished in 5.00s, 1.0 req/s\n"); err == nil {
		t.Error("nothing measured is no error")
	}
}

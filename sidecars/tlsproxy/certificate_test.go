package tlsproxy

import (
	"crypto/tls"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/flotilla-dev/flotilla/internal/config"
	"github.com/flotilla-dev/flotilla/internal/process"

	"github.com/flotilla-dev/flotilla/internal/await"
)

func accepts(addr string) bool {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// serial is the number of the certificate that a new connection is shown.
func (r *running) serial() *big.Int {
	r.Helper()
	conn, err := tls.Dial("tcp", r.addr, r.ca.trusting())
	if err != nil {
		r.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber
}

func TestARenewalFailsNoRequest(t *testing.T) {
	t.Parallel()
	r := before(t, http.HandlerFunc(hello), nil)
	stop := make(chan struct{})
	var asked, failed atomic.Int64
	var clients sync.WaitGroup
	for i := range 4 {
		clients.Go(func() {
			c := r.client()
			for {
				select {
				case <-stop:
					return
				default:
				}
				if i%2 == 0 { // half of them with a handshake each time
					c.CloseIdleConnections()
				}
				resp, err := c.Get("https://legacy/")
				if err != nil || resp.StatusCode != 200 {
					failed.Add(1)
					t.Errorf("%v", err)
					return
				}
				resp.Body.Close()
				asked.Add(1)
			}
		})
	}
	for range 5 {
		want := r.ca.renew()
		await.That(t, "the new certificate is shown", func() bool { return r.serial().Cmp(want) == 0 })
	}
	close(stop)
	clients.Wait()
	if asked.Load() == 0 || failed.Load() > 0 {
		t.Errorf("%d asked, %d failed", asked.Load(), failed.Load())
	}
}

func TestABrokenRenewalLeavesTheOldCertificate(t *testing.T) {
	t.Parallel()
	r := before(t, http.HandlerFunc(hello), nil)
	before := r.serial()
	r.ca.replace(certName, "CERTIFICATE", []byte("broken"))
	await.That(t, "the reload is refused", func() bool { return r.metric(`tlsproxy_certificate_reloads_total{result="refused"}`) == "1" })
	if r.serial().Cmp(before) != 0 {
		t.Error("the certificate has changed")
	}
	want := r.ca.renew()
	await.That(t, "the next renewal is shown", func() bool { return r.serial().Cmp(want) == 0 })
}

func TestCertificateAndKeyAreFilesOrDirectories(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	cert, key := filepath.Join(a.dir, certName), filepath.Join(a.dir, keyName)
	for _, c := range []struct {
		cfg  Config
		fail string
	}{
		{Config{CertificatePath: a.dir}, ""},
		{Config{CertificatePath: a.dir, KeyPath: a.dir}, ""},
		{Config{CertificatePath: a.dir, KeyPath: key}, ""},
		{Config{CertificatePath: cert, KeyPath: key}, ""},
		{Config{CertificatePath: cert, KeyPath: a.dir}, ""},
		{Config{Contract: process.Contract{TLSCertFile: cert, TLSKeyFile: key}}, ""},
		{Config{CertificatePath: cert}, "KEY_PATH: is required"},
		{Config{CertificatePath: "/nonexistent"}, "CERTIFICATE_PATH"},
		{Config{CertificatePath: a.dir, KeyPath: "/nonexistent"}, "KEY_PATH"},
	} {
		pair, err := c.cfg.pair()
		switch {
		case c.fail != "":
			if err == nil || !strings.Contains(err.Error(), c.fail) {
				t.Errorf("%+v: %v", c.cfg, err)
			}
		case err != nil || pair.CertFile != cert || pair.KeyFile != key:
			t.Errorf("%+v: %+v, %v", c.cfg, pair, err)
		}
	}
}

func TestEveryWrongParameterIsNamed(t *testing.T) {
	t.Parallel()
	for want, env := range map[string]map[string]string{
		"PROXY_PORT: is required":                             {},
		"want a port, 1 to 65535":                             {"PROXY_PORT": "0"},
		"8444 is the port of LISTEN_ADDR":                     {"PROXY_PORT": "8444"},
		"9444 is the port of ADMIN_ADDR":                      {"PROXY_PORT": "9444"},
		"CERTIFICATE_PATH: is required":                       {"PROXY_PORT": "80"},
		"CERTIFICATE_PATH: is another name for":               {"PROXY_PORT": "80", "CERTIFICATE_PATH": "a", "TLS_CERT_FILE": "b", "TLS_KEY_FILE": "c"},
		"TLSPROXY_REQUESTS: want at least 1":                  {"PROXY_PORT": "80", "TLSPROXY_REQUESTS": "0"},
		"TLSPROXY_STREAM_IDLE: want more than 0s":             {"PROXY_PORT": "80", "TLSPROXY_STREAM_IDLE": "0s"},
		"TLSPROXY_BODY_LIMIT: want at least 1":                {"PROXY_PORT": "80", "TLSPROXY_BODY_LIMIT": "0B"},
		"TLSPROXY_CONNECT_WAITS: is no parameter of tlsproxy": {"PROXY_PORT": "80", "TLSPROXY_CONNECT_WAITS": "1s"},
	} {
		cfg, err := process.Parse[Config](Program, env)
		if err == nil {
			err = Run(t.Context(), cfg)
		}
		if _, ok := err.(config.Error); !ok || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %s", env, err, want)
		}
	}
}

func TestAKeyOfAnotherCertificateIsAnErrorAtStart(t *testing.T) {
	t.Parallel()
	a, b := newAuthority(t), newAuthority(t)
	secret := filepath.Join(a.dir, "short")
	if err := os.WriteFile(secret, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, env := range map[string]map[string]string{
		"with key":      {"KEY_PATH": b.dir},
		"ticket secret": {"TLSPROXY_TICKET_SECRET_FILE": secret},
	} {
		full := map[string]string{"PROXY_PORT": "80", "CERTIFICATE_PATH": a.dir, "LISTEN_ADDR": "127.0.0.1:0", "ADMIN_ADDR": "127.0.0.1:0", "LOG_LEVEL": "ERROR"}
		for name, value := range env {
			full[name] = value
		}
		cfg, err := process.Parse[Config](Program, full)
		if err != nil {
			t.Fatal(err)
		}
		if err := Run(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v", env, err)
		}
	}
}

package shardproxy

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/flotilla-dev/flotilla/internal/front/fronttest"
)

func TestAmbiguousRequestsAreRefusedAndReachNobody(t *testing.T) {
	t.Parallel()
	a := newReplica(t, "a", nil)
	w := start(t, entry("a", a.addr()), nil)
	refused := fronttest.Ambiguous("x")
	refused["length over the bound"] = fronttest.Refused{Raw: "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n", Status: 413}
	for name, c := range refused {
		answer := w.say(c.Raw)
		if !strings.HasPrefix(answer, fmt.Sprintf("HTTP/1.1 %d ", c.Status)) || !strings.Contains(answer, "Content-Type: application/problem+json\r\n") {
			t.Errorf("%s: want %d and a problem, got %.200q", name, c.Status, answer)
		}
		if c.Status == 400 && !strings.Contains(answer, "Connection: close\r\n") {
			t.Errorf("%s: the connection is kept", name)
		}
	}
	if n := a.asked.Load(); n > 0 {
		t.Errorf("%d of them reached the shard", n)
	}
}

func TestABodyThatLeavesItsLimitsReachesNobodyAsAWhole(t *testing.T) {
	t.Parallel()
	whole := make(chan int, 10)
	a := newReplica(t, "a", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			whole <- len(body)
		}
	})
	w := start(t, entry("a", a.addr()), map[string]string{"SHARDPROXY_BODY_LIMIT": "64KiB"})
	const head = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
	refused := map[string]fronttest.Refused{"above the limit": {Raw: "10001\r\n" + strings.Repeat("a", 0x10001) + "\r\n0\r\n\r\n", Status: 413}}
	for name, chunks := range fronttest.BadChunks() {
		refused[name] = fronttest.Refused{Raw: chunks, Status: 400}
	}
	for name, c := range refused {
		if answer := w.say(head + c.Raw); !strings.HasPrefix(answer, fmt.Sprintf("HTTP/1.1 %d ", c.Status)) || !strings.Contains(answer, "Connection: close\r\n") {
			t.Errorf("%s: %.100q", name, answer)
		}
	}
	if answer := w.say(head + "3\r\nabc\r\n0\r\n\r\n"); !strings.HasPrefix(answer, "HTTP/1.1 200 ") {
		t.Errorf("a good one: %.100q", answer)
	}
	if n := <-whole; n != 3 || len(whole) > 0 {
		t.Errorf("a body of %d bytes was complete, and %d more", n, len(whole))
	}
}

func TestAClientThatIsTooSlowIsToldAndCutOff(t *testing.T) {
	t.Parallel()
	a := newReplica(t, "a", func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	w := start(t, entry("a", a.addr()), map[string]string{"SHARDPROXY_HEADER_TIMEOUT": "100ms", "SHARDPROXY_MIN_RATE_GRACE": "100ms", "SHARDPROXY_MIN_RATE": "1MiB"})
	for name, begin := range map[string]string{
		"head":         "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ",
		"small body":   "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nab",
		"chunked body": "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
	} {
		conn := w.dial()
		if _, err := io.WriteString(conn, begin); err != nil {
			t.Fatal(err)
		}
		resp, body := answerTo(t, bufio.NewReader(conn), "POST")
		if resp.StatusCode != 408 || !strings.Contains(body, "too-slow") || !resp.Close {
			t.Errorf("%s: %d %s", name, resp.StatusCode, body)
		}
	}
}

func TestPipelinedRequestsAreAnsweredInOrder(t *testing.T) {
	t.Parallel()
	a := newReplica(t, "a", func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.Path) })
	w := start(t, entry("a", a.addr()), nil)
	conn := w.dial()
	var all strings.Builder
	for i := range 50 {
		fmt.Fprintf(&all, "GET /%d HTTP/1.1\r\nHost: x\r\n\r\n", i)
	}
	if _, err := io.WriteString(conn, all.String()); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	for i := range 50 {
		if _, body := answerTo(t, in, "GET"); body != fmt.Sprintf("/%d", i) {
			t.Fatalf("answer %d is %q", i, body)
		}
	}
}

// What a client says of itself, and what concerns its connection alone, does not reach a
// replica; what a trusted proxy says does.
func TestFieldsOfTheConnectionEndHereAndTheClientIsNamed(t *testing.T) {
	t.Parallel()
	var seen atomic.Pointer[http.Request]
	a := newReplica(t, "a", func(w http.ResponseWriter, r *http.Request) {
		seen.Store(r)
		w.Header().Set("Connection", "X-Mine")
		w.Header().Set("X-Mine", "1")
		w.Header().Set("Keep-Alive", "timeout=1")
		w.Header().Set("X-Shard", "forged")
		w.Header()["Date"] = nil
	})
	w := start(t, entry("a", a.addr()), nil)
	answer := w.say("GET http://there/a?b HTTP/1.1\r\nHost: x\r\nConnection: X-Yours, close\r\nX-Yours: 1\r\nKeep-Alive: 1\r\nProxy-Authorization: s\r\n" +
		"TE: trailers\r\nX-Forwarded-For: 192.0.2.9\r\nX-Forwarded-Proto: gopher\r\nForwarded: for=192.0.2.9\r\nX-Real-IP: 192.0.2.9\r\nX-Other: kept\r\ntraceparent: 00-1\r\n\r\n")
	r := seen.Load()
	for name, want := range map[string]string{
		"X-Yours": "", "Keep-Alive": "", "Proxy-Authorization": "", "Te": "trailers", "X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "http",
		"X-Forwarded-Host": "there", "Forwarded": "", "X-Real-Ip": "127.0.0.1", "X-Other": "kept", "Via": "1.1 shardproxy", "Traceparent": "00-1",
	} {
		if got := strings.Join(r.Header[name], "|"); got != want {
			t.Errorf("the replica got %s: %q, want %q", name, got, want)
		}
	}
	if r.RequestURI != "/a?b" || r.Host != "there" {
		t.Errorf("%s of %s", r.RequestURI, r.Host)
	}
	for field, want := range map[string]bool{"X-Mine": false, "Keep-Alive": false, "X-Shard: forged": false, "X-Shard: a\r\n": true, "\r\nDate: ": true, "Connection: close": true} {
		if strings.Contains(answer, field) != want {
			t.Errorf("%q in the answer: %v\n%s", field, !want, answer)
		}
	}
	w = start(t, entry("a", a.addr()), map[string]string{"SHARDPROXY_TRUSTED_PROXIES": "127.0.0.0/8"})
	w.say("GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.9\r\nX-Forwarded-Proto: https\r\nConnection: close\r\n\r\n")
	if h := seen.Load().Header; h.Get("X-Forwarded-For") != "192.0.2.9, 127.0.0.1" || h.Get("X-Forwarded-Proto") != "https" {
		t.Errorf("of a trusted proxy: %v", h)
	}
}

package tlsproxy

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/internal/await"
)

// refusing returns a port on which nobody listens now.
func refusing(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return portOf(ln.Addr().String())
}

// listen starts an application on a port.
func listen(t *testing.T, port string, app http.Handler) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(app)
	server.Listener.Close()
	server.Listener = ln
	server.Start()
	t.Cleanup(server.Close)
}

func hello(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }

func TestAnAbsentApplicationIsToldAndFoundAgain(t *testing.T) {
	t.Parallel()
	port := refusing(t)
	r := start(t, port, map[string]string{"TLSPROXY_CONNECT_WAIT": "0s"})
	c := r.client()
	resp, body := do(t, c, "GET", "https://legacy/", nil)
	wantProblem(t, resp, body, 502, "upstream-unreachable")
	if resp.Header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After: %q", resp.Header.Get("Retry-After"))
	}
	if resp, body := do(t, http.DefaultClient, "GET", "http://"+r.admin+"/readyz", nil); resp.StatusCode != 503 {
		t.Errorf("ready without the application: %s", body)
	}
	if resp, body := do(t, http.DefaultClient, "GET", "http://"+r.admin+"/livez", nil); resp.StatusCode != 200 {
		t.Errorf("not live without the application: %s", body)
	}
	listen(t, port, http.HandlerFunc(hello))
	if resp, body := do(t, c, "GET", "https://legacy/", nil); resp.StatusCode != 200 || body != "hello" {
		t.Errorf("when it is back: %d %s", resp.StatusCode, body)
	}
	if resp, body := do(t, http.DefaultClient, "GET", "http://"+r.admin+"/readyz", nil); resp.StatusCode != 200 {
		t.Errorf("not ready when it is back: %s", body)
	}
}

func TestARequestWaitsForAnApplicationThatRestarts(t *testing.T) {
	t.Parallel()
	port := refusing(t)
	r := start(t, port, map[string]string{"TLSPROXY_CONNECT_WAIT": "30s"})
	answered := make(chan string, 1)
	go func() {
		resp, err := r.client().Post("https://legacy/", "text/plain", strings.NewReader("body"))
		if err != nil {
			answered <- err.Error()
			return
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		answered <- string(text)
	}()
	await.That(t, "a connection is tried again", func() bool { return r.metric("tlsproxy_connect_retries_total") > "0" })
	listen(t, port, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }))
	if got := <-answered; got != "body" {
		t.Errorf("it was answered %q", got)
	}
}

func TestALongOutageHoldsNoRequests(t *testing.T) {
	t.Parallel()
	cfg := &Config{ConnectWait: time.Hour, ConnectTimeout: time.Second}
	a := newApplication(t.Context(), cfg, newMetrics(prometheusRegistry(), emptyStore(t)))
	a.addr = "127.0.0.1:" + refusing(t)
	a.refused = time.Now().Add(-2 * time.Hour)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if _, err := a.dial(ctx); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("after the wait: %v, want a refusal at once", err)
	}
	listen(t, portOf(a.addr), http.HandlerFunc(hello))
	conn, err := a.dial(ctx)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if !a.refused.IsZero() {
		t.Error("an outage that is over still counts")
	}
}

func TestNobodyWaitsForTheApplicationLongerThanTheProcessLives(t *testing.T) {
	t.Parallel()
	r := start(t, refusing(t), map[string]string{"TLSPROXY_CONNECT_WAIT": "10m", "DRAIN_TIMEOUT": "100ms"})
	conn, _ := r.dial()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: legacy\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	await.That(t, "a connection is tried again", func() bool { return r.metric("tlsproxy_connect_retries_total") > "0" })
	if err := r.stop(); err != nil { // a dial that goes on is a leak, at the end of all tests
		t.Error(err)
	}
}

func TestAnApplicationThatHangsIs504(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	r := before(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }), map[string]string{"TLSPROXY_ANSWER_TIMEOUT": "50ms"})
	defer close(release)
	resp, body := do(t, r.client(), "GET", "https://legacy/", nil)
	wantProblem(t, resp, body, 504, "upstream-timeout")
}

func TestAnApplicationThatBreaksOffIs502OrABrokenAnswer(t *testing.T) {
	t.Parallel()
	r := before(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/late" {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "half")
			_ = http.NewResponseController(w).Flush() // else all of it is lost
		}
		panic(http.ErrAbortHandler)
	}), nil)
	resp, body := do(t, r.client(), "POST", "https://legacy/early", nil)
	wantProblem(t, resp, body, 502, "upstream-failed")
	late, err := r.client().Get("https://legacy/late")
	if err != nil {
		return // not even half of it came
	}
	defer late.Body.Close()
	if text, err := io.ReadAll(late.Body); err == nil {
		t.Errorf("half an answer looks whole: %q", text)
	}
}

package tlsproxy

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flotilla-dev/flotilla/internal/certs"
)

func prometheusRegistry() prometheus.Registerer { return prometheus.NewRegistry() }

func emptyStore(t *testing.T) *certs.Store {
	t.Helper()
	a := newAuthority(t)
	store, err := certs.Open(certs.Pair{CertFile: a.dir + "/" + certName, KeyFile: a.dir + "/" + keyName})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// unending is a body without a length.
type unending struct{}

func (unending) Read(p []byte) (int, error) { return len(p), nil }

func TestABodyThatIsTooLargeIs413(t *testing.T) {
	t.Parallel()
	r := before(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n)
	}), map[string]string{"TLSPROXY_BODY_LIMIT": "1KiB"})
	for _, protocol := range []string{"", "h2"} {
		c := r.client()
		if protocol != "" {
			c = r.client(protocol)
		}
		resp, body := do(t, c, "POST", "https://legacy/", strings.NewReader(strings.Repeat("x", 1024)))
		if resp.StatusCode != 200 || body != "1024" {
			t.Errorf("what just fits: %d %s", resp.StatusCode, body)
		}
		resp, body = do(t, c, "POST", "https://legacy/", strings.NewReader(strings.Repeat("x", 1025)))
		wantProblem(t, resp, body, 413, "body-too-large")
	}
	resp, body := do(t, r.client("h2"), "POST", "https://legacy/", unending{})
	wantProblem(t, resp, body, 413, "body-too-large")
	answer, _, _ := r.ask("POST / HTTP/1.1\r\nHost: legacy\r\nTransfer-Encoding: chunked\r\n\r\n800\r\n" + strings.Repeat("x", 0x800) + "\r\n0\r\n\r\n")
	if answer.StatusCode != 413 {
		t.Errorf("a chunked body: %s", answer.Status)
	}
}

func TestABodyThatDoesNotComeIs408(t *testing.T) {
	t.Parallel()
	r := before(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }), map[string]string{"TLSPROXY_STREAM_IDLE": "100ms"})
	resp, _, _ := r.ask("POST / HTTP/1.1\r\nHost: legacy\r\nContent-Length: 10\r\n\r\nhalf")
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	wantProblem(t, resp, string(body), 408, "too-slow")
	never, end := io.Pipe()
	defer end.Close()
	over2, text := do(t, r.client("h2"), "POST", "https://legacy/", never)
	wantProblem(t, over2, text, 408, "too-slow")
}

// The limit of a piece of the body must not be one of the answer.
func TestAnAnswerMayTakeLongerThanAPieceOfABody(t *testing.T) {
	t.Parallel()
	ended := make(chan error, 1)
	r := before(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-r.Context().Done():
			ended <- r.Context().Err()
		case <-time.After(500 * time.Millisecond): // five times what a piece may take
			ended <- nil
		}
		_, _ = io.WriteString(w, "done")
	}), map[string]string{"TLSPROXY_STREAM_IDLE": "100ms"})
	_, body := do(t, r.client(), "POST", "https://legacy/", strings.NewReader("body"))
	if err := <-ended; err != nil || body != "done" {
		t.Errorf("%q, %v", body, err)
	}
}

func TestAClientThatDoesNotReadIsLeft(t *testing.T) {
	t.Parallel()
	left := make(chan struct{})
	r := before(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(left)
		_, _ = io.Copy(w, unending{})
	}), map[string]string{"TLSPROXY_STREAM_IDLE": "100ms"})
	conn, _ := r.dial()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: legacy\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	select {
	case <-left:
	case <-time.After(30 * time.Second):
		t.Error("the application still answers a client that does not read")
	}
}

func TestOneRequestTooManyIsToldSo(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}), make(chan struct{})
	r := before(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { entered <- struct{}{}; <-release }), map[string]string{"TLSPROXY_REQUESTS": "1"})
	first := make(chan error, 1)
	go func() {
		resp, err := r.client().Get("https://legacy/")
		if err == nil {
			err = resp.Body.Close()
		}
		first <- err
	}()
	<-entered
	resp, body := do(t, r.client(), "GET", "https://legacy/", nil)
	wantProblem(t, resp, body, 503, "overloaded")
	close(release)
	if err := <-first; err != nil {
		t.Error(err)
	}
}

func TestAHeadThatIsTooLargeIs431(t *testing.T) {
	t.Parallel()
	r := before(t, http.HandlerFunc(hello), map[string]string{"TLSPROXY_HEADER_LIMIT": "1KiB"})
	resp, _, _ := r.ask("GET / HTTP/1.1\r\nHost: legacy\r\nX-Large: " + strings.Repeat("x", 8<<10) + "\r\n\r\n") // net/http allows 4 KiB more
	if resp.StatusCode != 431 {
		t.Errorf("it is answered %s", resp.Status)
	}
}

func TestASilentClientIsLeft(t *testing.T) {
	t.Parallel()
	r := before(t, http.HandlerFunc(hello), map[string]string{"TLSPROXY_HEADER_TIMEOUT": "100ms"})
	plain, err := net.Dial("tcp", r.addr) // no handshake
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	slow, _ := r.dial() // half a head
	if _, err := io.WriteString(slow, "GET / HTTP/1.1\r\nHost: leg"); err != nil {
		t.Fatal(err)
	}
	for name, conn := range map[string]net.Conn{"no handshake": plain, "half a head": slow} {
		if err := conn.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
			t.Fatal(err)
		}
		_, err := io.Copy(io.Discard, conn)
		var network net.Error
		if errors.As(err, &network) && network.Timeout() {
			t.Errorf("%s: the connection is still open", name)
		}
	}
}

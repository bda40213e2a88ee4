package edge_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/internal/await"
	"github.com/flotilla-dev/flotilla/internal/certs/certstest"
)

// refusing returns an address at which surely nobody listens.
func refusing(t testing.TB) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer ln.Close()
	return ln.Addr().String()
}

func TestFailuresOfTheUpstreamAreExplained(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		backend string
		status  int
		kind    string
	}{
		"refused":     {refusing(t), 502, "upstream-unreachable"},
		"reset":       {raw(t, func(net.Conn) {}), 502, "upstream-failed"},
		"nonsense":    {raw(t, func(c net.Conn) { io.WriteString(c, "220 smtp.example\r\n\r\n") }), 502, "upstream-failed"},
		"half a head": {raw(t, func(c net.Conn) { io.WriteString(c, "HTTP/1.1 200 OK\r\nA: ") }), 502, "upstream-failed"},
		"two lengths": {raw(t, func(c net.Conn) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
		}), 502, "upstream-failed"},
		"huge head": {raw(t, func(c net.Conn) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nA: "+strings.Repeat("a", 100<<10)+"\r\n\r\n")
		}), 502, "upstream-failed"},
		"no answer":    {backend(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }), 504, "upstream-timeout"},
		"not endpoint": {"file:/nowhere/endpoints", 503, "no-replica"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			patience := "20s"
			if c.kind == "upstream-timeout" {
				patience = "300ms"
			}
			f := start(t, settings{env: map[string]string{"EDGE_ANSWER_TIMEOUT": patience}}, c.backend)
			each(t, f, func(t *testing.T, client *http.Client, _ string) {
				r, err := client.Get("https://a.localhost/")
				text := body(t, r, err)
				if r.StatusCode != c.status || !strings.Contains(text, c.kind) || r.Header.Get("Retry-After") != "1" {
					t.Errorf("%d, Retry-After %q, %s", r.StatusCode, r.Header.Get("Retry-After"), text)
				}
				if strings.Contains(text, "127.0.0.1") {
					t.Error("an address inside is told to the client")
				}
			})
		})
	}
}

func TestAnotherReplicaIsAskedOnlyWhenThatIsSafe(t *testing.T) {
	t.Parallel()
	var broken atomic.Int64
	fails := raw(t, func(c net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
			broken.Add(1)
		}
	})
	f := start(t, settings{}, fails, backend(t, echoName("good")))
	client := f.client(false)
	failed := 0
	for range 30 {
		r, err := client.Get("https://a.localhost/")
		if body(t, r, err); r.StatusCode != 200 {
			t.Fatalf("GET: %d", r.StatusCode)
		}
	}
	if broken.Load() == 0 {
		t.Fatal("the broken replica was never asked")
	}
	// A fresh edge, because the replica is ejected now.
	f = start(t, settings{}, fails, backend(t, echoName("good")))
	client, before := f.client(false), broken.Load()
	for range 30 {
		r, err := client.Post("https://a.localhost/", "text/plain", strings.NewReader("a"))
		if body(t, r, err); r.StatusCode != 200 {
			failed++
		}
	}
	if asked := broken.Load() - before; int64(failed) != asked || asked == 0 {
		t.Errorf("%d POSTs reached the broken replica and %d failed: none may be sent twice", asked, failed)
	}
	// Nothing was sent to a replica that refuses connections: any request may go on.
	f = start(t, settings{}, refusing(t), backend(t, echoName("good")))
	client = f.client(false)
	for range 10 {
		r, err := client.Post("https://a.localhost/", "text/plain", strings.NewReader("a"))
		if body(t, r, err); r.StatusCode != 200 {
			t.Errorf("POST beside a dead replica: %d", r.StatusCode)
		}
	}
}

func TestTheThresholdsOfHealthAreTheOperators(t *testing.T) {
	t.Parallel()
	for after, most := range map[string]int64{"1": 1, "2": 2} {
		var broken atomic.Int64
		fails := raw(t, func(c net.Conn) {
			if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
				broken.Add(1)
			}
		})
		f := start(t, settings{env: map[string]string{"EJECT_AFTER": after, "EJECT_BASE": "1h", "EJECT_MAX": "1h"}}, fails, backend(t, echoName("good")))
		client := f.client(false)
		for range 30 {
			r, err := client.Get("https://a.localhost/")
			if body(t, r, err); r.StatusCode != 200 {
				t.Fatalf("GET: %d", r.StatusCode)
			}
		}
		if n := broken.Load(); n != most {
			t.Errorf("EJECT_AFTER=%s: the broken replica was asked %d times", after, n)
		}
	}
}

func TestKeptConnectionsThatTheReplicaClosedAreNoFailure(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(echoName("app"))
	s.Start()
	t.Cleanup(s.Close)
	f := start(t, settings{}, s.Listener.Addr().String())
	client := f.client(false)
	for i := range 20 {
		method := []string{"GET", "POST"}[i%2]
		q, _ := http.NewRequest(method, "https://a.localhost/", strings.NewReader(strings.Repeat("a", i%2)))
		r, err := client.Do(q)
		if body(t, r, err); r.StatusCode != 200 {
			t.Fatalf("%s %d: %d", method, i, r.StatusCode)
		}
		s.CloseClientConnections()
	}
}

func TestAnswersStreamWhileTheRequestStillDoes(t *testing.T) {
	t.Parallel()
	f := start(t, settings{}, backend(t, func(w http.ResponseWriter, r *http.Request) {
		check(t, http.NewResponseController(w).EnableFullDuplex())
		w.Header().Set("Trailer", "X-Sum")
		lines := bufio.NewScanner(r.Body)
		n := 0
		for lines.Scan() {
			n++
			fmt.Fprintf(w, "got %s\n", lines.Text())
			w.(http.Flusher).Flush()
		}
		w.Header().Set("X-Sum", fmt.Sprint(n, " ", r.Trailer.Get("X-Client")))
	}))
	each(t, f, func(t *testing.T, c *http.Client, protocol string) {
		reader, writer := io.Pipe()
		q, _ := http.NewRequest("POST", "https://a.localhost/", reader)
		q.Trailer = http.Header{"X-Client": nil}
		go io.WriteString(writer, "one\n") // the answer's head comes with its first piece
		r, err := c.Do(q)
		check(t, err)
		defer r.Body.Close()
		lines := bufio.NewReader(r.Body)
		for _, word := range []string{"one", "two", "three"} {
			if word != "one" {
				io.WriteString(writer, word+"\n")
			}
			if line, err := lines.ReadString('\n'); line != "got "+word+"\n" {
				t.Fatalf("%q, %v", line, err)
			}
		}
		q.Trailer.Set("X-Client", "end")
		writer.Close()
		if rest, err := io.ReadAll(lines); err != nil || len(rest) > 0 {
			t.Errorf("rest %q, %v", rest, err)
		}
		if got := r.Trailer.Get("X-Sum"); got != "3 end" {
			t.Errorf("trailer %q", got)
		}
	})
}

func TestAnAnswerCutShortDoesNotLookComplete(t *testing.T) {
	t.Parallel()
	f := start(t, settings{}, raw(t, func(c net.Conn) {
		q, err := http.ReadRequest(bufio.NewReader(c))
		if err != nil {
			return
		}
		if q.URL.Path == "/chunked" {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
		} else {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello")
		}
	}))
	each(t, f, func(t *testing.T, c *http.Client, _ string) {
		for _, path := range []string{"/chunked", "/counted"} {
			r, err := c.Get("https://a.localhost" + path)
			if err != nil {
				continue // reset before the head was seen: not complete either
			}
			b, err := io.ReadAll(r.Body)
			r.Body.Close()
			if err == nil {
				t.Errorf("%s: %q ended without an error", path, b)
			}
		}
	})
}

func TestExpectationsReachTheUpstream(t *testing.T) {
	t.Parallel()
	f := start(t, settings{}, backend(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/refused" {
			w.WriteHeader(403)
			return
		}
		b, _ := io.ReadAll(r.Body)
		w.Write(b)
	}))
	c := f.dial()
	in := bufio.NewReader(c)
	fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: a.localhost\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
	if line, err := in.ReadString('\n'); line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("%q, %v", line, err)
	}
	in.ReadString('\n')
	io.WriteString(c, "hello")
	r, err := http.ReadResponse(in, nil)
	if got := body(t, r, err); got != "hello" {
		t.Errorf("got %q", got)
	}
	if r.Close {
		t.Error("the body was read to its end, so the connection need not close")
	}
	fmt.Fprint(c, "POST /refused HTTP/1.1\r\nHost: a.localhost\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
	r, err = http.ReadResponse(in, nil)
	if body(t, r, err); r.StatusCode != 403 || !r.Close {
		t.Errorf("%d, close %v: the body was held back, so nothing can follow", r.StatusCode, r.Close)
	}
}

func TestEarlyHintsPass(t *testing.T) {
	t.Parallel()
	f := start(t, settings{}, backend(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(103)
		w.Header().Del("Link")
		io.WriteString(w, "page")
	}))
	each(t, f, func(t *testing.T, c *http.Client, protocol string) {
		var hints atomic.Int64
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			if code == 103 && h.Get("Link") != "" {
				hints.Add(1)
			}
			return nil
		}})
		q, _ := http.NewRequestWithContext(ctx, "GET", "https://a.localhost/", nil)
		r, err := c.Do(q)
		if got := body(t, r, err); got != "page" || r.Header.Get("Link") != "" {
			t.Errorf("%q with Link %q", got, r.Header.Get("Link"))
		}
		if hints.Load() != 1 {
			t.Errorf("%d early hints", hints.Load())
		}
	})
}

func TestUpgradesPassWithHalfClose(t *testing.T) {
	t.Parallel()
	f := start(t, settings{}, raw(t, func(c net.Conn) {
		in := bufio.NewReader(c)
		q, err := http.ReadRequest(in)
		if err != nil || q.Header.Get("Upgrade") != "websocket" || q.Header.Get("Connection") != "Upgrade" {
			return
		}
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\nearly ")
		said, _ := io.ReadAll(in) // until the client closes its half
		fmt.Fprintf(c, "after %s", said)
	}))
	c := f.dial()
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: a.localhost\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\nhello ")
	in := bufio.NewReader(c)
	r, err := http.ReadResponse(in, nil)
	check(t, err)
	if r.StatusCode != 101 || r.Header.Get("Upgrade") != "websocket" || r.Header.Get("Sec-WebSocket-Accept") != "x" {
		t.Fatalf("%d %v", r.StatusCode, r.Header)
	}
	io.WriteString(c, "world")
	check(t, c.CloseWrite())
	if all, err := io.ReadAll(in); string(all) != "early after hello world" {
		t.Errorf("%q, %v", all, err)
	}
}

func TestAClientThatLeavesIsNotWorkedFor(t *testing.T) {
	t.Parallel()
	began, ended := make(chan struct{}, 3), make(chan struct{}, 3)
	f := start(t, settings{}, backend(t, func(_ http.ResponseWriter, r *http.Request) {
		began <- struct{}{}
		<-r.Context().Done()
		ended <- struct{}{}
	}))
	each(t, f, func(t *testing.T, c *http.Client, _ string) {
		ctx, cancel := context.WithCancel(t.Context())
		q, _ := http.NewRequestWithContext(ctx, "GET", "https://a.localhost/", nil)
		go func() { <-began; cancel() }()
		if _, err := c.Do(q); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		c.CloseIdleConnections()
		select {
		case <-ended:
		case <-time.After(patience):
			t.Error("the upstream goes on working")
		}
	})
}

func TestUpstreamTLSDemandsTheNameUnderTheInternalCA(t *testing.T) {
	t.Parallel()
	internal := certstest.New(t)
	s := httptest.NewUnstartedServer(echoName("secure"))
	s.TLS = internal.Server("cache")
	s.StartTLS()
	t.Cleanup(s.Close)
	const routes = `
upstreams:
  good: {address: "${EDGE_UPSTREAM_APP}", tls: {server_name: cache, ca_file: "${EDGE_UPSTREAM_CA}"}}
  name: {address: "${EDGE_UPSTREAM_APP}", tls: {server_name: other, ca_file: "${EDGE_UPSTREAM_CA}"}}
  root: {address: "${EDGE_UPSTREAM_APP}", tls: {server_name: cache}}
  host: {address: "${EDGE_UPSTREAM_APP}", tls: {ca_file: "${EDGE_UPSTREAM_CA}"}}
hosts:
  - names: [a.localhost]
    routes:
      - {path: /good, upstream: good}
      - {path: /name, upstream: name}
      - {path: /root, upstream: root}
      - {path: /host, upstream: host}
`
	f := start(t, settings{routes: routes, lookup: map[string]string{"EDGE_UPSTREAM_CA": internal.File}}, s.Listener.Addr().String())
	client := f.client(false)
	for path, status := range map[string]int{"/good": 200, "/name": 502, "/root": 502, "/host": 200} {
		r, err := client.Get("https://a.localhost" + path)
		if body(t, r, err); r.StatusCode != status {
			t.Errorf("%s: %d, want %d", path, r.StatusCode, status)
		}
	}
}

func TestManyClientsOfAllProtocolsAtOnce(t *testing.T) {
	t.Parallel()
	f := start(t, settings{}, backend(t, echoName("one")), backend(t, echoName("two")))
	var all sync.WaitGroup
	for _, client := range []*http.Client{f.client(false), f.client(true), f.http3Client()} {
		for worker := range 8 {
			all.Go(func() {
				for i := range 30 {
					path := fmt.Sprintf("/%d/%d", worker, i)
					r, err := client.Get("https://a.localhost" + path)
					if err != nil {
						t.Error(err)
						return
					}
					b, _ := io.ReadAll(r.Body)
					r.Body.Close()
					if !strings.HasSuffix(string(b), " "+path) {
						t.Errorf("asked for %s, got %q", path, b)
						return
					}
				}
			})
		}
	}
	all.Wait()
}

func TestARequestWithoutBodyHasNoneUpstream(t *testing.T) {
	t.Parallel()
	f := start(t, settings{}, backend(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s%d%v", r.Method, r.ContentLength, r.TransferEncoding)
	}))
	each(t, f, func(t *testing.T, c *http.Client, _ string) {
		for _, method := range []string{"GET", "DELETE", "OPTIONS"} {
			q, _ := http.NewRequest(method, "https://a.localhost/", nil)
			r, err := c.Do(q)
			if got := body(t, r, err); got != method+"0[]" {
				t.Errorf("got %s", got)
			}
		}
		// One that does have a body keeps it.
		q, _ := http.NewRequest("DELETE", "https://a.localhost/", io.MultiReader(strings.NewReader("abc")))
		r, err := c.Do(q)
		if got := body(t, r, err); got != "DELETE-1[chunked]" {
			t.Errorf("got %s", got)
		}
	})
}

func TestAReplicaThatHangsIsLeftForAnother(t *testing.T) {
	t.Parallel()
	admin := func() *httptest.Server {
		s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		t.Cleanup(s.Close)
		return s
	}
	port := func(s *httptest.Server) string {
		_, p, _ := net.SplitHostPort(s.Listener.Addr().String())
		return p
	}
	good, bad := admin(), admin()
	hung := make(chan struct{}, 100)
	hangs := backend(t, func(_ http.ResponseWriter, r *http.Request) { hung <- struct{}{}; <-r.Context().Done() })
	f := start(t, settings{env: map[string]string{"CHECK_INTERVAL": "50ms"}},
		hangs+"/"+port(bad), backend(t, echoName("good"))+"/"+port(good))
	client := f.client(false)
	await.That(t, "both replicas", func() bool {
		r, err := http.Get("http://" + f.admin + "/metrics")
		return strings.Count(body(t, r, err), `state="up",upstream="app"} 1`) == 2
	})
	http.DefaultClient.CloseIdleConnections()
	answers := make(chan int, 100)
	sent := 0
	for asked := false; !asked; {
		sent++
		go func() {
			r, err := client.Get("https://a.localhost/")
			if err != nil {
				answers <- 0
				return
			}
			r.Body.Close()
			answers <- r.StatusCode
		}()
		select {
		case <-hung:
			asked = true
		case status := <-answers:
			sent--
			if status != 200 {
				t.Fatalf("status %d", status)
			}
		}
	}
	bad.Close()
	for range sent {
		if status := <-answers; status != 200 {
			t.Errorf("a request to the replica that hangs was answered with %d", status)
		}
	}
}

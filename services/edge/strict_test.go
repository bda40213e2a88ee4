package edge_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/internal/front/fronttest"
	"github.com/flotilla-dev/flotilla/internal/problem"
)

func TestAmbiguousRequestsAreRefusedAndReachNobody(t *testing.T) {
	t.Parallel()
	var reached atomic.Int64
	f := start(t, settings{}, backend(t, func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	const host = "Host: a.localhost\r\n"
	refused := fronttest.Ambiguous("a.localhost")
	for name, path := range map[string]string{"dot segments": "/a/../b", "encoded dot segments": "/a/.%2E/b", "broken encoding": "/%zz"} {
		refused[name] = fronttest.Refused{Raw: "GET " + path + " HTTP/1.1\r\n" + host + "\r\n", Status: 400}
	}
	for name, c := range refused {
		answer := f.ask(c.Raw)
		if !strings.HasPrefix(answer, fmt.Sprintf("HTTP/1.1 %d ", c.Status)) {
			t.Errorf("%s: want %d, got %.60q", name, c.Status, answer)
			continue
		}
		if !strings.Contains(answer, "Content-Type: application/problem+json\r\n") {
			t.Errorf("%s: the answer is no problem", name)
		}
		if c.Status == 405 && !strings.Contains(answer, "\r\nAllow: GET, HEAD, POST, ") {
			t.Errorf("%s: what would be right is not said", name)
		}
		if c.Status == 400 && !strings.Contains(answer, "Connection: close\r\n") && !strings.Contains(c.Raw, "%") && !strings.Contains(c.Raw, "..") {
			t.Errorf("%s: the connection is kept", name)
		}
	}
	if n := reached.Load(); n > 0 {
		t.Errorf("%d of them reached the upstream", n)
	}
}

// What a route does not take never reaches the upstream, whatever the protocol. A refused body does not spoil the
// connection for what comes next.
func TestARouteTakesOnlyItsMethods(t *testing.T) {
	t.Parallel()
	var asked atomic.Value
	f := start(t, settings{routes: `
upstreams: {app: {address: "${EDGE_UPSTREAM_APP}"}}
hosts: [{names: [a.localhost], routes: [{path: /read/, upstream: app, methods: [GET, HEAD]}, {path: /all/, upstream: app}, {path: /, exact: true, upstream: app}]}]
`}, backend(t, func(_ http.ResponseWriter, r *http.Request) { asked.Store(r.Method + " " + r.URL.Path) }))
	each(t, f, func(t *testing.T, c *http.Client, _ string) {
		for _, x := range []struct {
			method, path string
			status       int
			allow        string
		}{
			{"GET", "/read/a", 200, ""}, {"HEAD", "/read/a", 200, ""}, {"GET", "/", 200, ""}, {"PUT", "/all/a", 200, ""},
			{"PUT", "/read/a", 405, "GET, HEAD"}, {"POST", "/read/%61", 405, "GET, HEAD"}, {"DELETE", "/read/a", 405, "GET, HEAD"},
			{"OPTIONS", "/read/a", 405, "GET, HEAD"}, {"MKCOL", "/read/a", 405, "GET, HEAD"}, {"get", "/read/a", 405, "GET, HEAD"},
			{"TRACE", "/all/a", 405, "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"},
			{"GET", "/read", 404, ""}, {"GET", "/x", 404, ""}, {"GET", "//", 404, ""},
		} {
			asked.Store("")
			var payload io.Reader = http.NoBody
			if x.method == "PUT" || x.method == "POST" {
				payload = strings.NewReader("{}")
			}
			q, err := http.NewRequest(x.method, "https://a.localhost"+x.path, payload)
			check(t, err)
			r, err := c.Do(q)
			text := body(t, r, err)
			if r.StatusCode != x.status || r.Header.Get("Allow") != x.allow {
				t.Errorf("%s %s: %d, Allow %q, want %d and %q", x.method, x.path, r.StatusCode, r.Header.Get("Allow"), x.status, x.allow)
			}
			reached, _ := asked.Load().(string)
			if reached != "" != (x.status == 200) {
				t.Errorf("%s %s: the upstream was asked for %q", x.method, x.path, reached)
			}
			if x.status == 405 && (r.Header.Get("Content-Type") != problem.ContentType || !strings.Contains(text, "#method-not-allowed")) {
				t.Errorf("%s %s: %s", x.method, x.path, text)
			}
		}
	})
}

func TestBadChunksEndTheExchange(t *testing.T) {
	t.Parallel()
	f := start(t, settings{}, backend(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }))
	for name, chunks := range fronttest.BadChunks() {
		answer := f.say("POST / HTTP/1.1\r\nHost: a.localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)
		if !strings.HasPrefix(answer, "HTTP/1.1 400 ") || !strings.Contains(answer, "Connection: close\r\n") {
			t.Errorf("%s: %.80q", name, answer)
		}
	}
}

func TestTooLargeBodiesAreRefusedHoweverTheyCome(t *testing.T) {
	t.Parallel()
	f := start(t, settings{env: map[string]string{"EDGE_BODY_LIMIT": "64KiB"}}, backend(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
	}))
	each(t, f, func(t *testing.T, c *http.Client, _ string) {
		for name, reader := range map[string]io.Reader{
			"announced": strings.NewReader(strings.Repeat("a", 64<<10+1)),
			"chunked":   io.MultiReader(strings.NewReader(strings.Repeat("a", 64<<10+1))),
		} {
			r, err := c.Post("https://a.localhost/", "text/plain", reader)
			body(t, r, err)
			if r.StatusCode != 413 {
				t.Errorf("%s: %d", name, r.StatusCode)
			}
		}
		r, err := c.Post("https://a.localhost/", "text/plain", strings.NewReader(strings.Repeat("a", 64<<10)))
		body(t, r, err)
		if r.StatusCode != 200 {
			t.Errorf("a body of just the limit: %d", r.StatusCode)
		}
	})
}

func TestSlowHeadsAndBodiesAreCutOff(t *testing.T) {
	t.Parallel()
	f := start(t, settings{env: map[string]string{
		"EDGE_HEADER_TIMEOUT": "200ms", "EDGE_MIN_RATE_GRACE": "200ms", "EDGE_HANDSHAKE_TIMEOUT": "200ms", "EDGE_IDLE_TIMEOUT": "400ms"}},
		backend(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }))
	for name, raw := range map[string]string{
		"head":         "GET / HTTP/1.1\r\nHost: a.local",
		"body":         "POST / HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: 100\r\n\r\nabc",
		"chunked body": "POST / HTTP/1.1\r\nHost: a.localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
	} {
		if answer := f.say(raw); !strings.HasPrefix(answer, "HTTP/1.1 408 ") {
			t.Errorf("%s: %.60q", name, answer)
		}
	}
	if answer := f.say(""); answer != "" {
		t.Errorf("an idle connection was answered with %q", answer)
	}
	for _, h2 := range []bool{false, true} {
		reader, writer := io.Pipe()
		go writer.Write([]byte("abc"))
		r, err := f.client(h2).Post("https://a.localhost/", "text/plain", reader)
		if err == nil { // HTTP/1.1 clients may see the connection close first
			if body(t, r, err); r.StatusCode != 408 {
				t.Errorf("slow body, HTTP/2 %v: %d", h2, r.StatusCode)
			}
		}
		writer.Close()
	}
}

func TestOddButValidRequestsAreUnderstood(t *testing.T) {
	t.Parallel()
	f := start(t, settings{}, backend(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/204":
			w.WriteHeader(204)
		case "/304":
			w.Header().Set("Etag", `"x"`)
			w.WriteHeader(304)
		case "/flush":
			w.(http.Flusher).Flush()
			io.WriteString(w, "streamed")
		default:
			fmt.Fprintf(w, "%s %s %s", r.Method, r.Host, r.RequestURI)
		}
	}))
	for name, c := range map[string]struct{ raw, want string }{
		"HTTP/1.0":                 {"GET /x HTTP/1.0\r\nHost: a.localhost\r\n\r\n", "\r\n\r\nGET a.localhost /x"},
		"HTTP/1.0 gets no chunks":  {"GET /flush HTTP/1.0\r\nHost: a.localhost\r\n\r\n", "\r\n\r\nstreamed"},
		"absolute form":            {"GET http://a.localhost/x HTTP/1.1\r\nHost: evil\r\nConnection: close\r\n\r\n", "GET a.localhost /x"},
		"absolute form, no path":   {"GET http://a.localhost HTTP/1.1\r\nHost: evil\r\nConnection: close\r\n\r\n", "GET a.localhost /"},
		"asterisk form":            {"OPTIONS * HTTP/1.1\r\nHost: a.localhost\r\nConnection: close\r\n\r\n", "HTTP/1.1 404"},
		"empty lines before":       {"\r\n\r\nGET /x HTTP/1.1\r\nHost: a.localhost\r\nConnection: close\r\n\r\n", "GET a.localhost /x"},
		"pipelined":                {"GET /1 HTTP/1.1\r\nHost: a.localhost\r\n\r\nGET /2 HTTP/1.1\r\nHost: a.localhost\r\nConnection: close\r\n\r\n", "GET a.localhost /2"},
		"pipelined after a body":   {"POST /1 HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: 3\r\n\r\nabcGET /2 HTTP/1.1\r\nHost: a.localhost\r\nConnection: close\r\n\r\n", "GET a.localhost /2"},
		"pipelined after chunks":   {"POST /1 HTTP/1.1\r\nHost: a.localhost\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\n\r\nGET /2 HTTP/1.1\r\nHost: a.localhost\r\nConnection: close\r\n\r\n", "a.localhost /"},
		"no content":               {"GET /204 HTTP/1.1\r\nHost: a.localhost\r\nConnection: close\r\n\r\n", "HTTP/1.1 204"},
		"not modified":             {"GET /304 HTTP/1.1\r\nHost: a.localhost\r\nConnection: close\r\n\r\n", "HTTP/1.1 304"},
		"host with port and a dot": {"GET /x HTTP/1.1\r\nHost: A.LOCALHOST.:8443\r\nConnection: close\r\n\r\n", "GET A.LOCALHOST.:8443 /x"},
	} {
		answer := f.ask(c.raw)
		if !strings.Contains(answer, c.want) {
			t.Errorf("%s: %q lacks %q", name, answer, c.want)
		}
	}
	r, err := f.client(false).Head("https://a.localhost/x")
	if body(t, r, err); r.ContentLength != int64(len("HEAD a.localhost /x")) {
		t.Errorf("HEAD: Content-Length %d", r.ContentLength)
	}
}

func TestHopByHopFieldsEndHere(t *testing.T) {
	t.Parallel()
	f := start(t, settings{}, backend(t, func(w http.ResponseWriter, r *http.Request) {
		for name := range r.Header {
			w.Header().Add("Got", name)
		}
		w.Header().Set("Connection", "X-Private")
		w.Header().Set("X-Private", "1")
		w.Header().Set("Keep-Alive", "timeout=5")
		w.Header().Set("Alt-Svc", `h3=":1"`)
		w.Header().Set("Strict-Transport-Security", "max-age=0")
	}))
	answer := f.say("GET / HTTP/1.1\r\nHost: a.localhost\r\nConnection: close, X-Mine\r\nX-Mine: 1\r\nKeep-Alive: 1\r\nProxy-Connection: x\r\nTE: gzip\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\nX-Other: 1\r\n\r\n")
	r, err := http.ReadResponse(bufio.NewReader(strings.NewReader(answer)), nil)
	check(t, err)
	got := strings.Join(r.Header["Got"], " ")
	for _, name := range []string{"X-Mine", "Keep-Alive", "Proxy-Connection", "Te", "Upgrade", "Http2-Settings"} {
		if strings.Contains(" "+got+" ", " "+name+" ") {
			t.Errorf("%s was passed on", name)
		}
	}
	if !strings.Contains(got, "X-Other") {
		t.Error("X-Other was not passed on")
	}
	if r.Header.Get("X-Private") != "" || r.Header.Get("Keep-Alive") != "" {
		t.Error("hop-by-hop fields of the answer were passed on")
	}
	if len(r.Header["Alt-Svc"]) != 1 || r.Header.Get("Alt-Svc") == `h3=":1"` || r.Header.Get("Strict-Transport-Security") != "max-age=31536000" {
		t.Errorf("an upstream speaks for the edge: %q %q", r.Header["Alt-Svc"], r.Header["Strict-Transport-Security"])
	}
}

func TestTLSIsModernAndResumed(t *testing.T) {
	t.Parallel()
	f := start(t, settings{}, backend(t, echoName("app")))
	for _, old := range []*tls.Config{
		{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11},
		{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}},
	} {
		old.RootCAs, old.ServerName = f.ca.Pool, "a.localhost"
		if c, err := tls.Dial("tcp", f.https, old); err == nil {
			c.Close()
			t.Errorf("version %x with suites %x was accepted", old.MaxVersion, old.CipherSuites)
		}
	}
	client := &tls.Config{RootCAs: f.ca.Pool, ServerName: "a.localhost", ClientSessionCache: tls.NewLRUClientSessionCache(1)}
	for attempt := range 2 {
		c, err := tls.Dial("tcp", f.https, client)
		check(t, err)
		check(t, c.SetDeadline(time.Now().Add(patience)))
		fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: a.localhost\r\nConnection: close\r\n\r\n")
		_, err = io.ReadAll(c)
		check(t, err)
		if resumed := c.ConnectionState().DidResume; resumed != (attempt == 1) {
			t.Errorf("connection %d: resumed %v", attempt, resumed)
		}
		c.Close()
	}
}

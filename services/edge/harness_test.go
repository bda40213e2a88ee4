package edge_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/internal/certs/certstest"
	"github.com/flotilla-dev/flotilla/internal/nettest"
	"github.com/flotilla-dev/flotilla/internal/process/processtest"
	"github.com/flotilla-dev/flotilla/services/edge"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A fixture is an edge that runs in the test.
type fixture struct {
	t      testing.TB
	ca     *certstest.Authority
	https  string // address of TLS over TCP
	http   string // of redirects
	http3  string
	admin  string
	log    string // file of the access log
	routes string // file of routes
	stop   func()
	ended  <-chan struct{}
}

// settings change an edge before it starts.
type settings struct {
	env    map[string]string
	routes string // YAML; "": all of *.localhost to the backend
	lookup map[string]string
}

const oneBackend = `
upstreams:
  app: {address: "${EDGE_UPSTREAM_APP}"}
hosts:
  - names: [a.localhost, "*.localhost"]
    routes: [{path: /, upstream: app}]
`

// start runs an edge in front of the backends until the test ends.
func start(t testing.TB, s settings, backends ...string) *fixture {
	t.Helper()
	f := &fixture{t: t, ca: certstest.New(t)}
	pair := f.ca.Issue("edge", "*.localhost", "a.localhost", "b.localhost")
	f.log, f.routes = filepath.Join(f.ca.Dir, "access.log"), filepath.Join(f.ca.Dir, "routes.yaml")
	if s.routes == "" {
		s.routes = oneBackend
	}
	check(t, os.WriteFile(f.routes, []byte(s.routes), 0o600))
	env := map[string]string{
		"EDGE_HTTP_ADDR": "127.0.0.1:0", "EDGE_HTTP3_ADDR": "127.0.0.1:0", "DRAIN_TIMEOUT": "5s",
		// The machine may be busy. Tests about these limits set their own.
		"EDGE_FIRST_REPLICAS": "5s", "EDGE_CONNECT_TIMEOUT": "10s", "CHECK_TIMEOUT": "5s",
		"TLS_CERT_FILE": pair.CertFile, "TLS_KEY_FILE": pair.KeyFile, "EDGE_ROUTES_FILE": f.routes, "EDGE_ACCESS_LOG": f.log, "EDGE_CA_FILE": f.ca.File,
	}
	maps.Copy(env, s.env)
	cfg := processtest.Parse[edge.Config](t, edge.Program, env)
	values := map[string]string{"EDGE_UPSTREAM_APP": strings.Join(backends, ",")}
	for name, value := range s.lookup {
		values[name] = value
	}
	cfg.Lookup = func(name string) (string, bool) { v, ok := values[name]; return v, ok }
	f.run(cfg)
	return f
}

func (f *fixture) run(cfg edge.Config) {
	f.t.Helper()
	extra := make(chan struct{})
	cfg.OnExtra = func(http, http3 string) { f.http, f.http3 = http, http3; close(extra) }
	running := processtest.Start(f.t, &cfg.Contract, func(ctx context.Context) error { return edge.Run(ctx, cfg) })
	f.https, f.admin, f.stop, f.ended = running.Data, running.Admin, running.Cancel, running.Ended
	select {
	case <-extra:
	case <-f.ended:
		f.t.Fatalf("the edge did not start: %v", running.Wait())
	}
}

// client returns a client that reaches the edge under every name.
func (f *fixture) client(h2 bool) *http.Client {
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: f.ca.Pool},
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "tcp", f.https)
		},
		ForceAttemptHTTP2:   h2,
		DisableCompression:  true,
		MaxIdleConnsPerHost: 100,
	}
	if !h2 {
		transport.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	}
	f.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// dial opens a TLS connection that speaks HTTP/1.1.
func (f *fixture) dial() *tls.Conn {
	f.t.Helper()
	c, err := tls.Dial("tcp", f.https, &tls.Config{RootCAs: f.ca.Pool, ServerName: "a.localhost", NextProtos: []string{"http/1.1"}})
	check(f.t, err)
	f.t.Cleanup(func() { c.Close() })
	check(f.t, c.SetDeadline(time.Now().Add(patience)))
	return c
}

// say sends bytes and returns all that comes back until the end.
func (f *fixture) say(raw string) string {
	f.t.Helper()
	c := f.dial()
	_, err := io.WriteString(c, raw)
	check(f.t, err)
	answer, _ := io.ReadAll(c) // a connection that is closed hard has said what it said
	return string(answer)
}

// ask is say for one or more whole requests: the edge is told that no other
// follows, so it closes when it has answered.
func (f *fixture) ask(raw string) string {
	f.t.Helper()
	c := f.dial()
	_, err := io.WriteString(c, raw)
	check(f.t, err)
	check(f.t, c.CloseWrite())
	answer, _ := io.ReadAll(c) // as in say
	return string(answer)
}

// backend runs a handler and returns its address.
func backend(t testing.TB, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// raw runs a backend that speaks for itself, one connection at a time.
func raw(t testing.TB, serve func(net.Conn)) string {
	t.Helper()
	return nettest.Serve(t, serve)
}

func body(t testing.TB, r *http.Response, err error) string {
	t.Helper()
	check(t, err)
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	check(t, err)
	return string(b)
}

func echoName(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "%s %s", name, r.URL.EscapedPath()) }
}

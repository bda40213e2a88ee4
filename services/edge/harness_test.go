package edge_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/services/edge"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// ca signs the certificates of a test.
type ca struct {
	t    testing.TB
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
	pool *x509.CertPool
}

func newCA(t testing.TB) *ca {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	check(t, err)
	c := &ca{t: t, dir: t.TempDir(), key: key, pool: x509.NewCertPool()}
	c.cert, err = x509.ParseCertificate(der)
	check(t, err)
	c.pool.AddCert(c.cert)
	c.file = filepath.Join(c.dir, "ca.crt")
	c.write(c.file, "CERTIFICATE", der)
	return c
}

// issue writes a pair for the names and returns the files.
func (c *ca) issue(base string, serial int64, names ...string) (certFile, keyFile string) {
	c.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(c.t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), DNSNames: names, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, c.cert, &key.PublicKey, c.key)
	check(c.t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	check(c.t, err)
	certFile, keyFile = filepath.Join(c.dir, base+".crt"), filepath.Join(c.dir, base+".key")
	c.write(keyFile, "PRIVATE KEY", keyDER)
	c.write(certFile, "CERTIFICATE", der)
	return certFile, keyFile
}

func (c *ca) write(file, kind string, der []byte) {
	c.t.Helper()
	check(c.t, os.WriteFile(file+".new", pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
	check(c.t, os.Rename(file+".new", file))
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A fixture is an edge that runs in the test.
type fixture struct {
	t      testing.TB
	ca     *ca
	https  string // address of TLS over TCP
	http   string // of redirects
	http3  string
	admin  string
	log    string // file of the access log
	routes string // file of routes
	stop   context.CancelFunc
	ended  chan struct{}
	err    error
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
	f := &fixture{t: t, ca: newCA(t), ended: make(chan struct{})}
	certFile, keyFile := f.ca.issue("edge", 100, "*.localhost", "a.localhost", "b.localhost")
	f.log, f.routes = filepath.Join(f.ca.dir, "access.log"), filepath.Join(f.ca.dir, "routes.yaml")
	if s.routes == "" {
		s.routes = oneBackend
	}
	check(t, os.WriteFile(f.routes, []byte(s.routes), 0o600))
	env := map[string]string{
		"LISTEN_ADDR": "127.0.0.1:0", "ADMIN_ADDR": "127.0.0.1:0", "EDGE_HTTP_ADDR": "127.0.0.1:0", "EDGE_HTTP3_ADDR": "127.0.0.1:0",
		"TLS_CERT_FILE": certFile, "TLS_KEY_FILE": keyFile, "EDGE_ROUTES_FILE": f.routes, "EDGE_ACCESS_LOG": f.log,
		"DRAIN_DELAY": "0s", "DRAIN_TIMEOUT": "5s", "LOG_LEVEL": "ERROR", "EDGE_CA_FILE": f.ca.file,
	}
	for name, value := range s.env {
		env[name] = value
	}
	cfg, err := process.Parse[edge.Config](edge.Program, env)
	check(t, err)
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
	listening, extra := make(chan struct{}), make(chan struct{})
	cfg.OnListen = func(data, admin net.Addr) { f.https, f.admin = data.String(), admin.String(); close(listening) }
	cfg.OnExtra = func(http, http3 string) { f.http, f.http3 = http, http3; close(extra) }
	ctx, cancel := context.WithCancel(context.Background())
	f.stop = cancel
	go func() { defer close(f.ended); f.err = edge.Run(ctx, cfg) }()
	for _, started := range []chan struct{}{listening, extra} {
		select {
		case <-started:
		case <-f.ended:
			f.t.Fatalf("the edge did not start: %v", f.err)
		}
	}
	f.t.Cleanup(func() {
		cancel()
		<-f.ended
		if f.err != nil {
			f.t.Errorf("the edge ended with %v", f.err)
		}
	})
}

// client returns a client that reaches the edge under every name.
func (f *fixture) client(h2 bool) *http.Client {
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: f.ca.pool},
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
	c, err := tls.Dial("tcp", f.https, &tls.Config{RootCAs: f.ca.pool, ServerName: "a.localhost", NextProtos: []string{"http/1.1"}})
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
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			serve(c)
			c.Close()
		}
	}()
	t.Cleanup(func() { ln.Close(); <-done })
	return ln.Addr().String()
}

func body(t testing.TB, r *http.Response, err error) string {
	t.Helper()
	check(t, err)
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	check(t, err)
	return string(b)
}

func await(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("in %s there was no %s", patience, what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func echoName(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "%s %s", name, r.URL.EscapedPath()) }
}

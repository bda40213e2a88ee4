package tlsproxy

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/internal/atomicfile"
	"github.com/flotilla-dev/flotilla/internal/process"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// authority certifies "legacy" for a test, again and again.
type authority struct {
	*testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{T: t, dir: t.TempDir()}
	template := &x509.Certificate{Subject: pkix.Name{CommonName: "test CA"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour)}
	a.cert, a.key = a.sign(template, template, nil)
	a.renew()
	return a
}

func (a *authority) sign(template, parent *x509.Certificate, by *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.Fatal(err)
	}
	if by == nil {
		by = key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), by)
	if err != nil {
		a.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.Fatal(err)
	}
	return cert, key
}

// renew writes a new certificate over the old one, and returns its serial number.
func (a *authority) renew() *big.Int {
	a.Helper()
	cert, key := a.sign(&x509.Certificate{Subject: pkix.Name{CommonName: "legacy"}, DNSNames: []string{"legacy"},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour)}, a.cert, a.key)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.Fatal(err)
	}
	a.replace(keyName, "PRIVATE KEY", der)
	a.replace(certName, "CERTIFICATE", cert.Raw)
	return cert.SerialNumber
}

func (a *authority) replace(name, kind string, der []byte) {
	a.Helper()
	if err := atomicfile.Write(filepath.Join(a.dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		a.Fatal(err)
	}
}

// trusting returns what a client needs to believe the proxy.
func (a *authority) trusting(protocols ...string) *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return &tls.Config{RootCAs: pool, ServerName: "legacy", NextProtos: protocols, MinVersion: tls.VersionTLS12}
}

// running is a proxy before an application.
type running struct {
	*testing.T
	ca          *authority
	addr, admin string
	stop        func() error // ends it, and returns what Run did
}

// start runs the program in front of a port of loopback.
func start(t *testing.T, port string, environ map[string]string) *running {
	t.Helper()
	r := &running{T: t, ca: newAuthority(t)}
	env := map[string]string{"LISTEN_ADDR": "127.0.0.1:0", "ADMIN_ADDR": "127.0.0.1:0", "DRAIN_DELAY": "0s", "LOG_LEVEL": "ERROR",
		"PROXY_PORT": port, "CERTIFICATE_PATH": r.ca.dir}
	for name, value := range environ {
		env[name] = value
	}
	cfg, err := process.Parse[Config](Program, env)
	if err != nil {
		t.Fatal(err)
	}
	listening := make(chan [2]string, 1)
	cfg.OnListen = func(data, admin net.Addr) { listening <- [2]string{data.String(), admin.String()} }
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, cfg) }()
	var result error
	stopped := false
	r.stop = func() error {
		if !stopped {
			stopped = true
			cancel()
			result = <-ended
		}
		return result
	}
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
	select {
	case l := <-listening:
		r.addr, r.admin = l[0], l[1]
		do(t, http.DefaultClient, "GET", "http://"+r.admin+"/livez", nil) // answered when it serves
	case err := <-ended:
		ended <- nil
		t.Fatal(err)
	}
	return r
}

// before starts an application and a proxy before it.
func before(t *testing.T, app http.Handler, environ map[string]string) *running {
	t.Helper()
	server := httptest.NewServer(app)
	t.Cleanup(server.Close)
	return start(t, portOf(server.Listener.Addr().String()), environ)
}

func portOf(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return port
}

// client asks the proxy, whatever host a URL names.
func (r *running) client(protocols ...string) *http.Client {
	r.Helper()
	config := r.ca.trusting()
	tr := &http.Transport{TLSClientConfig: config, DisableCompression: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", r.addr)
	}}
	if len(protocols) > 0 {
		tr.Protocols = new(http.Protocols)
		tr.Protocols.SetHTTP2(true)
	}
	r.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 30 * time.Second}
}

// dial opens a connection that speaks HTTP/1.1, to be written by hand.
func (r *running) dial() (*tls.Conn, *bufio.Reader) {
	r.Helper()
	conn, err := tls.Dial("tcp", r.addr, r.ca.trusting("http/1.1"))
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		r.Fatal(err)
	}
	return conn, bufio.NewReader(conn)
}

// ask sends a request by hand and reads the head of the answer.
func (r *running) ask(request string) (*http.Response, *tls.Conn, *bufio.Reader) {
	r.Helper()
	conn, reader := r.dial()
	if _, err := io.WriteString(conn, request); err != nil {
		r.Fatal(err)
	}
	resp, err := http.ReadResponse(reader, nil)
	if err != nil {
		r.Fatal(err)
	}
	return resp, conn, reader
}

func do(t *testing.T, c *http.Client, method, url string, body io.Reader, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header[header[i]] = []string{header[i+1]}
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

// wantProblem holds an answer to be a problem of a type that tells nothing of the inside.
func wantProblem(t *testing.T, resp *http.Response, body string, status int, name string) {
	t.Helper()
	var p struct {
		Type   string
		Status int
		Detail string
	}
	if err := json.Unmarshal([]byte(body), &p); err != nil {
		t.Fatalf("%d %q is no problem: %v", resp.StatusCode, body, err)
	}
	if resp.StatusCode != status || p.Status != status || !strings.HasSuffix(p.Type, "#"+name) || resp.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%d %s, want %d %s", resp.StatusCode, body, status, name)
	}
	if strings.Contains(body, "127.0.0.1") || strings.Contains(body, "dial") {
		t.Errorf("it tells of the inside: %s", body)
	}
}

func (r *running) metric(name string) string {
	r.Helper()
	_, body := do(r.T, http.DefaultClient, "GET", "http://"+r.admin+"/metrics", nil)
	for line := range strings.Lines(body) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

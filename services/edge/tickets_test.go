package edge_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/internal/atomicfile"
	"github.com/flotilla-dev/flotilla/internal/await"
)

// visit makes a request over a new connection and tells whether that resumed the
// session in the cache.
func (f *fixture) visit(version uint16, sessions tls.ClientSessionCache) (resumed bool) {
	f.t.Helper()
	c, err := tls.Dial("tcp", f.https, &tls.Config{RootCAs: f.ca.Pool, ServerName: "a.localhost", NextProtos: []string{"http/1.1"},
		MinVersion: version, MaxVersion: version, ClientSessionCache: sessions})
	check(f.t, err)
	defer c.Close()
	check(f.t, c.SetDeadline(time.Now().Add(patience)))
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: a.localhost\r\nConnection: close\r\n\r\n")
	answer, err := io.ReadAll(c) // with the tickets that TLS 1.3 sends after the handshake
	check(f.t, err)
	if !strings.HasPrefix(string(answer), "HTTP/1.1 200 ") {
		f.t.Errorf("answered with %.60q", answer)
	}
	return c.ConnectionState().DidResume
}

// holding is a cache of a client that knows one session.
func holding(s *tls.ClientSessionState) tls.ClientSessionCache {
	cache := tls.NewLRUClientSessionCache(1)
	cache.Put("a.localhost", s)
	return cache
}

func TestEdgesThatShareASecretResumeEachOthersSessions(t *testing.T) {
	t.Parallel()
	secret := filepath.Join(t.TempDir(), "tickets")
	write := func(text string) {
		check(t, atomicfile.Write(secret, []byte(text), 0o600))
	}
	write(strings.Repeat("a", 32))
	app := backend(t, echoName("app"))
	env := map[string]string{"EDGE_TICKET_SECRET_FILE": secret}
	one := start(t, settings{env: env}, app)
	// The second edge has the same certificate, as replicas have.
	env["TLS_CERT_FILE"], env["TLS_KEY_FILE"] = filepath.Join(one.ca.Dir, "edge.crt"), filepath.Join(one.ca.Dir, "edge.key")
	two := start(t, settings{env: env}, app)
	two.ca = one.ca
	alone := start(t, settings{env: map[string]string{"TLS_CERT_FILE": env["TLS_CERT_FILE"], "TLS_KEY_FILE": env["TLS_KEY_FILE"]}}, app)
	alone.ca = one.ca

	versions := map[string]uint16{"TLS 1.2": tls.VersionTLS12, "TLS 1.3": tls.VersionTLS13}
	shared := func(t *testing.T) map[string]*tls.ClientSessionState {
		t.Helper()
		known := map[string]*tls.ClientSessionState{}
		for name, version := range versions {
			cache := tls.NewLRUClientSessionCache(1)
			if one.visit(version, cache) {
				t.Errorf("%s: the first connection resumed something", name)
			}
			known[name], _ = cache.Get("a.localhost")
			if !two.visit(version, cache) {
				t.Errorf("%s: the second edge did not resume a session of the first", name)
			}
			if !one.visit(version, cache) {
				t.Errorf("%s: the first edge did not resume a session of the second", name)
			}
		}
		return known
	}
	known := shared(t)
	for name, version := range versions {
		if alone.visit(version, holding(known[name])) {
			t.Errorf("%s: an edge without the secret resumed a session", name)
		}
	}
	write(strings.Repeat("b", 40))
	for name, version := range versions {
		for edge, f := range map[string]*fixture{"first": one, "second": two} {
			await.That(t, name+" ticket that the "+edge+" edge cannot read", func() bool { return !f.visit(version, holding(known[name])) })
		}
	}
	shared(t)
}

// Package certstest certifies the servers of a test.
//
//	ca := certstest.New(t)
//	server.TLS = ca.Server("dictionary.localhost")
//	client.TLSClientConfig = ca.Client("dictionary.localhost")
package certstest

import (
	"crypto/tls"
	"testing"

	"github.com/flotilla-dev/flotilla/internal/certs"
	"github.com/flotilla-dev/flotilla/internal/certs/authority"
)

// Authority is an authority whose failures are those of a test. Its Dir, File and
// Pool are as in package authority.
type Authority struct {
	*authority.Authority
	t testing.TB
}

// New makes an authority in a directory of the test.
func New(t testing.TB) *Authority {
	t.Helper()
	a, err := authority.New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return &Authority{a, t}
}

// Issue writes a certificate for 127.0.0.1 and the names, and returns the files.
func (a *Authority) Issue(base string, names ...string) certs.Pair {
	a.t.Helper()
	pair, err := a.Authority.Issue(base, names...)
	if err != nil {
		a.t.Fatal(err)
	}
	return pair
}

// Server returns the settings of a server with a new certificate for the names.
func (a *Authority) Server(names ...string) *tls.Config {
	a.t.Helper()
	pair := a.Issue("server", names...)
	certificate, err := tls.LoadX509KeyPair(pair.CertFile, pair.KeyFile)
	if err != nil {
		a.t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{certificate}}
}

// Client returns the settings of a client that trusts the authority alone; with an
// empty name the server has to be that of the address.
func (a *Authority) Client(name string) *tls.Config {
	return &tls.Config{RootCAs: a.Pool, ServerName: name}
}

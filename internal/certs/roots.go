package certs

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/flotilla-dev/flotilla/internal/watch"
)

// Roots are the certification authorities that a client trusts, kept equal to a
// PEM file. Make it with OpenRoots.
type Roots struct {
	file string
	pem  []byte                        // as first read
	pool atomic.Pointer[x509.CertPool] // nil: the system's
}

// OpenRoots reads the PEM file. With an empty name the system's roots are
// trusted, and only with an empty name.
func OpenRoots(file string) (*Roots, error) {
	r := &Roots{file: file}
	if file == "" {
		return r, nil
	}
	pem, err := watch.Read(file)
	if err != nil {
		return nil, fmt.Errorf("load trusted roots: %w", err)
	}
	r.pem = pem
	if err := r.use(pem); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *Roots) use(pem []byte) error {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return fmt.Errorf("load trusted roots: %s holds no certificate", r.file)
	}
	r.pool.Store(pool)
	return nil
}

// Watch reloads the file when it changes, until ctx is done. A file that does
// not load leaves the roots before it in use.
func (r *Roots) Watch(ctx context.Context, log *slog.Logger) {
	if r.file == "" {
		<-ctx.Done()
		return
	}
	watch.File(ctx, r.file, r.pem, func(pem []byte) {
		if err := r.use(pem); err != nil {
			log.Warn("trusted roots not reloaded, the old ones stay", "file", r.file, "error", err)
			return
		}
		log.Info("trusted roots reloaded", "file", r.file)
	})
}

// Client returns the settings of a client that demands a certificate for
// serverName, a name or an IP address, under these roots. With an empty
// serverName the host that is dialled must be named by whoever dials (net/http
// does so), and must not be an IP address.
//
// A tls.Config carries fixed roots. To follow the file, crypto/tls's own check
// is replaced by the same check against the roots of the moment; resumed
// sessions are checked too, so that a root that was taken away counts at once.
func (r *Roots) Client(serverName string, protocols ...string) *tls.Config {
	c := modern(protocols)
	c.ServerName = serverName
	c.ClientSessionCache = tls.NewLRUClientSessionCache(64)
	if r.file == "" {
		return c
	}
	c.InsecureSkipVerify = true // verify, below, is the check
	c.VerifyConnection = func(state tls.ConnectionState) error {
		// The state has no name when an address was asked for, which SNI cannot say.
		return r.verify(state, cmp.Or(serverName, state.ServerName))
	}
	return c
}

func (r *Roots) verify(state tls.ConnectionState, name string) error {
	if len(state.PeerCertificates) == 0 {
		return errors.New("verify certificate: the server sent none")
	}
	if name == "" {
		return errors.New("verify certificate: no server name was asked for")
	}
	options := x509.VerifyOptions{
		Roots:         r.pool.Load(),
		DNSName:       name,
		Intermediates: x509.NewCertPool(),
	}
	for _, c := range state.PeerCertificates[1:] {
		options.Intermediates.AddCert(c)
	}
	if _, err := state.PeerCertificates[0].Verify(options); err != nil {
		return fmt.Errorf("verify certificate: %w", err)
	}
	return nil
}

package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flotilla-dev/flotilla/internal/watch"
)

// A Pair names the PEM files of a certificate chain (leaf first) and its key.
type Pair struct{ CertFile, KeyFile string }

// A Store holds loaded pairs and picks one for each handshake. Make it with Open.
type Store struct {
	pairs    []Pair
	current  atomic.Pointer[table]
	reloads  atomic.Uint64
	failures atomic.Uint64

	mu     sync.Mutex // guards loaded, and that tables are built one at a time
	loaded []loaded
}

// loaded is one pair as it was read.
type loaded struct {
	*tls.Certificate
	certPEM, keyPEM []byte // to tell a change from a touch
}

// table is the immutable look-up made from all loaded pairs.
type table struct {
	byName   map[string][]*tls.Certificate // "a.example" or "*.example"
	fallback []*tls.Certificate
	expiry   time.Time
}

// Open loads all pairs. The first one is the default: it answers handshakes
// that name no host, or one that no certificate carries.
func Open(pairs ...Pair) (*Store, error) {
	if len(pairs) == 0 {
		return nil, errors.New("load certificates: none is given")
	}
	s := &Store{pairs: pairs, loaded: make([]loaded, len(pairs))}
	var errs []error
	for i, pair := range pairs {
		c, err := load(pair)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		s.loaded[i] = c
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	s.current.Store(newTable(s.loaded))
	return s, nil
}

func load(pair Pair) (loaded, error) {
	cert, err := watch.Read(pair.CertFile)
	if err != nil {
		return loaded{}, fmt.Errorf("load certificate: %w", err)
	}
	key, err := watch.Read(pair.KeyFile)
	if err != nil {
		return loaded{}, fmt.Errorf("load key: %w", err)
	}
	c, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return loaded{}, fmt.Errorf("load certificate %s with key %s: %w", pair.CertFile, pair.KeyFile, err)
	}
	return loaded{Certificate: &c, certPEM: cert, keyPEM: key}, nil
}

// reload reads one pair again. When it does not load, the one before stays.
func (s *Store) reload(i int) error {
	c, err := load(s.pairs[i])
	if err != nil {
		s.failures.Add(1)
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loaded[i] = c
	s.current.Store(newTable(s.loaded))
	s.reloads.Add(1)
	return nil
}

func newTable(all []loaded) *table {
	t := &table{byName: map[string][]*tls.Certificate{}, fallback: []*tls.Certificate{all[0].Certificate}}
	for _, c := range all {
		for _, name := range names(c.Leaf) {
			t.byName[name] = append(t.byName[name], c.Certificate)
		}
		if t.expiry.IsZero() || c.Leaf.NotAfter.Before(t.expiry) {
			t.expiry = c.Leaf.NotAfter
		}
	}
	return t
}

// names are the DNS names that a certificate is for. The common name counts
// only where there is no other name, as nothing that verifies would accept it.
func names(leaf *x509.Certificate) []string {
	if len(leaf.DNSNames) == 0 && len(leaf.IPAddresses) == 0 && leaf.Subject.CommonName != "" {
		return []string{strings.ToLower(leaf.Subject.CommonName)}
	}
	all := make([]string, 0, len(leaf.DNSNames))
	for _, name := range leaf.DNSNames {
		all = append(all, strings.ToLower(name))
	}
	return all
}

// Get picks the certificate for a handshake: by the exact server name, else by
// a wildcard for its first label, else the default. Among several for one name
// (ECDSA beside RSA) the first that the client supports wins. It fits
// tls.Config.GetCertificate.
func (s *Store) Get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	candidates := s.current.Load().lookup(hello.ServerName)
	if len(candidates) == 1 {
		return candidates[0], nil
	}
	for _, c := range candidates {
		if hello.SupportsCertificate(c) == nil {
			return c, nil
		}
	}
	return candidates[0], nil
}

func (t *table) lookup(serverName string) []*tls.Certificate {
	name := strings.TrimSuffix(strings.ToLower(serverName), ".")
	if found := t.byName[name]; len(found) > 0 {
		return found
	}
	if _, parent, ok := strings.Cut(name, "."); ok {
		if found := t.byName["*."+parent]; len(found) > 0 {
			return found
		}
	}
	return t.fallback
}

// Covers tells whether a certificate of the store, other than by being the
// default, is for the host name.
func (s *Store) Covers(host string) bool {
	t := s.current.Load()
	name := strings.TrimSuffix(strings.ToLower(host), ".")
	if len(t.byName[name]) > 0 {
		return true
	}
	_, parent, ok := strings.Cut(name, ".")
	return ok && len(t.byName["*."+parent]) > 0
}

// Status is what an operator wants to know of a store.
type Status struct {
	Reloads  uint64    // pairs reloaded since Open
	Failures uint64    // changes of a file that did not load
	Expiry   time.Time // when the first of the certificates expires
}

// Status returns the counts so far and the earliest expiry.
func (s *Store) Status() Status {
	return Status{Reloads: s.reloads.Load(), Failures: s.failures.Load(), Expiry: s.current.Load().expiry}
}

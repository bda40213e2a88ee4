package certs_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/internal/certs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quiet = slog.New(slog.DiscardHandler)

// authority signs certificates for tests.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

func newAuthority(t *testing.T, dir, name string) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{cert: cert, key: key, file: filepath.Join(dir, name+".crt")}
	write(t, a.file, "CERTIFICATE", der)
	return a
}

// issue writes a pair for the names under dir/base.
func (a *authority) issue(t *testing.T, dir, base string, serial int64, names ...string) certs.Pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), DNSNames: names, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	pair := certs.Pair{CertFile: filepath.Join(dir, base+".crt"), KeyFile: filepath.Join(dir, base+".key")}
	write(t, pair.CertFile, "CERTIFICATE", der)
	write(t, pair.KeyFile, "PRIVATE KEY", keyDER)
	return pair
}

func write(t *testing.T, file, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(file+".new", pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}

// serve answers every handshake and then waits for the client to close.
func serve(t *testing.T, config *tls.Config) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				tc := tls.Server(c, config)
				if tc.Handshake() == nil {
					tc.Write([]byte("k"))
					io.Copy(io.Discard, tc)
				}
			}()
		}
	}()
	t.Cleanup(func() { listener.Close(); <-done })
	return listener.Addr().String()
}

// shake makes one handshake and returns what was agreed on.
func shake(addr string, config *tls.Config) (tls.ConnectionState, error) {
	c, err := tls.Dial("tcp", addr, config)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer c.Close()
	if _, err := c.Read(make([]byte, 1)); err != nil { // tickets come before the first byte
		return tls.ConnectionState{}, err
	}
	return c.ConnectionState(), nil
}

func TestAHandshakeGetsTheExactNameThenTheWildcardThenTheDefault(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca := newAuthority(t, dir, "ca")
	store, err := certs.Open(
		ca.issue(t, dir, "default", 10, "default.example"),
		ca.issue(t, dir, "wild", 11, "*.localhost"),
		ca.issue(t, dir, "exact", 12, "dictionary.localhost"),
	)
	if err != nil {
		t.Fatal(err)
	}
	addr := serve(t, store.Server())
	for name, want := range map[string]int64{
		"dictionary.localhost":  12,
		"DICTIONARY.localhost":  12,
		"dictionary.localhost.": 12,
		"other.localhost":       11,
		"a.b.localhost":         10, // a wildcard stands for one label
		"localhost":             10,
		"default.example":       10,
		"elsewhere.example":     10,
		"":                      10,
	} {
		state, err := shake(addr, &tls.Config{ServerName: name, InsecureSkipVerify: true})
		if err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		if got := state.PeerCertificates[0].SerialNumber.Int64(); got != want {
			t.Errorf("%q: got certificate %d, want %d", name, got, want)
		}
	}
	if !store.Covers("x.localhost") || store.Covers("nobody.example") {
		t.Error("Covers does not follow the names of the certificates")
	}
}

func TestEveryBadPairIsNamed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca := newAuthority(t, dir, "ca")
	a, b := ca.issue(t, dir, "a", 1, "a"), ca.issue(t, dir, "b", 2, "b")
	_, err := certs.Open(certs.Pair{CertFile: a.CertFile, KeyFile: b.KeyFile}, certs.Pair{CertFile: "/nowhere/x.crt"})
	if err == nil || !strings.Contains(err.Error(), "a.crt") || !strings.Contains(err.Error(), "/nowhere/x.crt") {
		t.Fatalf("error %v does not name both", err)
	}
}

func TestARenewedPairIsServedAndABrokenOneIsNot(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca := newAuthority(t, dir, "ca")
	store, err := certs.Open(ca.issue(t, dir, "a", 1, "a.localhost"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	watched := make(chan struct{})
	go func() { defer close(watched); store.Watch(ctx, quiet) }()
	defer func() { cancel(); <-watched }()
	addr := serve(t, store.Server())
	serial := func() int64 {
		state, err := shake(addr, &tls.Config{ServerName: "a.localhost", InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		return state.PeerCertificates[0].SerialNumber.Int64()
	}

	pair := ca.issue(t, dir, "a", 2, "a.localhost")
	await(t, func() bool { return serial() == 2 })
	if err := os.WriteFile(pair.CertFile, []byte("not a certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	failures := store.Status().Failures
	await(t, func() bool { return store.Status().Failures > failures })
	if got := serial(); got != 2 {
		t.Fatalf("after a broken file certificate %d is served, want the old one, 2", got)
	}
	ca.issue(t, dir, "a", 3, "a.localhost")
	await(t, func() bool { return serial() == 3 })
}

func TestCBCSuitesAndOldVersionsAreRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store, err := certs.Open(newAuthority(t, dir, "ca").issue(t, dir, "a", 1, "a.localhost"))
	if err != nil {
		t.Fatal(err)
	}
	addr := serve(t, store.Server())
	refused := map[string]*tls.Config{
		"TLS 1.1": {MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11},
		"CBC": {MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA}},
		"static RSA": {MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}},
		"P-521":      {CurvePreferences: []tls.CurveID{tls.CurveP521}},
	}
	for name, config := range refused {
		config.InsecureSkipVerify = true
		if _, err := shake(addr, config); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	state, err := shake(addr, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	if state.Version != tls.VersionTLS13 || state.CurveID != tls.X25519MLKEM768 {
		t.Errorf("agreed on version %x and curve %v, want TLS 1.3 and X25519MLKEM768", state.Version, state.CurveID)
	}
}

func TestAClientTrustsItsRootsAndNameOnlyAndFollowsTheFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	old, fresh := newAuthority(t, dir, "old"), newAuthority(t, dir, "fresh")
	oldStore, err := certs.Open(old.issue(t, dir, "a", 1, "up.internal"))
	if err != nil {
		t.Fatal(err)
	}
	freshStore, err := certs.Open(fresh.issue(t, dir, "b", 2, "up.internal"))
	if err != nil {
		t.Fatal(err)
	}
	oldAddr, freshAddr := serve(t, oldStore.Server()), serve(t, freshStore.Server())
	roots, err := certs.OpenRoots(old.file)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	watched := make(chan struct{})
	go func() { defer close(watched); roots.Watch(ctx, quiet) }()
	defer func() { cancel(); <-watched }()

	client := roots.Client("up.internal")
	if _, err := shake(oldAddr, client); err != nil {
		t.Fatalf("trusted certificate: %v", err)
	}
	if _, err := shake(oldAddr, roots.Client("127.0.0.1")); err != nil {
		t.Errorf("a certificate for the address: %v", err)
	}
	if _, err := shake(oldAddr, roots.Client("127.0.0.2")); err == nil {
		t.Error("a certificate for another address was accepted")
	}
	if _, err := shake(oldAddr, roots.Client("other.internal")); err == nil {
		t.Error("a certificate for another name was accepted")
	}
	if _, err := shake(freshAddr, client); err == nil {
		t.Error("a certificate of an unknown authority was accepted")
	}
	pemBytes, err := os.ReadFile(fresh.file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(old.file, pemBytes, 0o600); err != nil {
		t.Fatal(err)
	}
	await(t, func() bool { _, err := shake(freshAddr, client); return err == nil })
	if _, err := shake(oldAddr, client); err == nil {
		t.Error("a resumed session under a root that was taken away was accepted")
	}
}

func TestProcessesWithOneTicketSecretResumeEachOthersSessions(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store, err := certs.Open(newAuthority(t, dir, "ca").issue(t, dir, "a", 1, "a.localhost"))
	if err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(dir, "ticket.secret")
	if err := os.WriteFile(secret, []byte(strings.Repeat("s", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	edge := func() string {
		config := store.Server()
		if _, err := certs.OpenTickets(secret, config); err != nil {
			t.Fatal(err)
		}
		return serve(t, config)
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		client := &tls.Config{ServerName: "a.localhost", InsecureSkipVerify: true, MaxVersion: version,
			ClientSessionCache: tls.NewLRUClientSessionCache(1)}
		if _, err := shake(edge(), client); err != nil {
			t.Fatal(err)
		}
		state, err := shake(edge(), client)
		if err != nil {
			t.Fatal(err)
		}
		if !state.DidResume {
			t.Errorf("version %x: the second process did not resume the session of the first", version)
		}
	}
	if err := os.WriteFile(secret, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := certs.OpenTickets(secret); err == nil {
		t.Error("a secret of five bytes was accepted")
	}
}

// await looks at a condition until it holds; files are watched by polling, so
// there is nothing to be woken by.
func await(t *testing.T, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatal("the condition did not come to hold in 10 s")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

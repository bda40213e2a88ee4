package certs_test

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/internal/certs"
	"github.com/flotilla-dev/flotilla/internal/certs/certstest"
	"github.com/flotilla-dev/flotilla/internal/nettest"

	"github.com/flotilla-dev/flotilla/internal/await"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quiet = slog.New(slog.DiscardHandler)

// serve answers every handshake and then waits for the client to close.
func serve(t *testing.T, config *tls.Config) string {
	t.Helper()
	return nettest.Serve(t, func(c net.Conn) {
		secure := tls.Server(c, config)
		if secure.Handshake() == nil {
			secure.Write([]byte("k"))
			io.Copy(io.Discard, secure)
		}
	})
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
	ca := certstest.New(t)
	store, err := certs.Open(
		ca.Issue("default", "default.example"),
		ca.Issue("wild", "*.localhost"),
		ca.Issue("exact", "dictionary.localhost"),
	)
	if err != nil {
		t.Fatal(err)
	}
	addr := serve(t, store.Server())
	for name, want := range map[string]int64{ // certificates count from 1
		"dictionary.localhost":  3,
		"DICTIONARY.localhost":  3,
		"dictionary.localhost.": 3,
		"other.localhost":       2,
		"a.b.localhost":         1, // a wildcard stands for one label
		"localhost":             1,
		"default.example":       1,
		"elsewhere.example":     1,
		"":                      1,
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
	ca := certstest.New(t)
	a, b := ca.Issue("a", "a"), ca.Issue("b", "b")
	_, err := certs.Open(certs.Pair{CertFile: a.CertFile, KeyFile: b.KeyFile}, certs.Pair{CertFile: "/nowhere/x.crt"})
	if err == nil || !strings.Contains(err.Error(), "a.crt") || !strings.Contains(err.Error(), "/nowhere/x.crt") {
		t.Fatalf("error %v does not name both", err)
	}
}

func TestARenewedPairIsServedAndABrokenOneIsNot(t *testing.T) {
	t.Parallel()
	ca := certstest.New(t)
	store, err := certs.Open(ca.Issue("a", "a.localhost"))
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

	pair := ca.Issue("a", "a.localhost")
	await.That(t, "the files count", func() bool { return serial() == 2 })
	if err := os.WriteFile(pair.CertFile, []byte("not a certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	failures := store.Status().Failures
	await.That(t, "the files count", func() bool { return store.Status().Failures > failures })
	if got := serial(); got != 2 {
		t.Fatalf("after a broken file certificate %d is served, want the old one, 2", got)
	}
	ca.Issue("a", "a.localhost")
	await.That(t, "the files count", func() bool { return serial() == 3 })
}

func TestCBCSuitesAndOldVersionsAreRefused(t *testing.T) {
	t.Parallel()
	store, err := certs.Open(certstest.New(t).Issue("a", "a.localhost"))
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
	old, fresh := certstest.New(t), certstest.New(t)
	oldStore, err := certs.Open(old.Issue("a", "up.internal"))
	if err != nil {
		t.Fatal(err)
	}
	freshStore, err := certs.Open(fresh.Issue("b", "up.internal"))
	if err != nil {
		t.Fatal(err)
	}
	oldAddr, freshAddr := serve(t, oldStore.Server()), serve(t, freshStore.Server())
	roots, err := certs.OpenRoots(old.File)
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
	pemBytes, err := os.ReadFile(fresh.File)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(old.File, pemBytes, 0o600); err != nil {
		t.Fatal(err)
	}
	await.That(t, "the files count", func() bool { _, err := shake(freshAddr, client); return err == nil })
	if _, err := shake(oldAddr, client); err == nil {
		t.Error("a resumed session under a root that was taken away was accepted")
	}
}

func TestProcessesWithOneTicketSecretResumeEachOthersSessions(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store, err := certs.Open(certstest.New(t).Issue("a", "a.localhost"))
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

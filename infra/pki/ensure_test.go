package pki

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func testPlan(t *testing.T) Plan {
	t.Helper()
	plan, err := DefaultPlan()
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

func ensure(t *testing.T, dir string, plan Plan) map[string]Report {
	t.Helper()
	reports, err := EnsureDir(context.Background(), dir, plan)
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]Report{}
	for _, r := range reports {
		byName[r.Name] = r
	}
	return byName
}

func load(t *testing.T, dir, name string) (Bundle, pair) {
	t.Helper()
	b, err := Dir(dir).Load(context.Background(), name)
	if err != nil {
		t.Fatal(err)
	}
	p, err := b.parse()
	if err != nil {
		t.Fatal(err)
	}
	return b, p
}

func roots(t *testing.T, pem []byte) *x509.CertPool {
	t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		t.Fatal("no certificate in the authority's file")
	}
	return pool
}

func TestEveryNameOfTheEdgeIsVerified(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ensure(t, dir, testPlan(t))
	b, edge := load(t, dir, Edge)
	for _, host := range []string{"localhost", "dictionary.localhost", "search.localhost", "console.localhost", "edge", "127.0.0.1", "::1"} {
		if _, err := edge.cert.Verify(x509.VerifyOptions{Roots: roots(t, b.CA), DNSName: host}); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	for _, host := range []string{"example.com", "localhost.example.com", "a.b.localhost", "10.0.0.1"} {
		if _, err := edge.cert.Verify(x509.VerifyOptions{Roots: roots(t, b.CA), DNSName: host}); err == nil {
			t.Errorf("%s is accepted", host)
		}
	}
}

func TestEveryNameOfAServiceIsVerifiedByTheInternalCAOnly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ensure(t, dir, testPlan(t))
	b, dictionary := load(t, dir, "dictionary")
	hosts := []string{
		"dictionary", "dictionary-0.dictionary", "dictionary.flotilla", "dictionary.flotilla.svc", "dictionary-0.dictionary.flotilla.svc",
		"dictionary.flotilla.svc.cluster.local", "dictionary-2.dictionary.flotilla.svc.cluster.local", "localhost", "127.0.0.1",
	}
	for _, host := range hosts {
		if _, err := dictionary.cert.Verify(x509.VerifyOptions{Roots: roots(t, b.Internal), DNSName: host}); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	if _, err := dictionary.cert.Verify(x509.VerifyOptions{Roots: roots(t, b.Internal), DNSName: "cache"}); err == nil {
		t.Error("the dictionary may pose as the cache")
	}
	development, _ := load(t, dir, DevelopmentCA)
	if _, err := dictionary.cert.Verify(x509.VerifyOptions{Roots: roots(t, development.Cert), DNSName: "dictionary"}); err == nil {
		t.Error("the CA that people trust signs for internal services")
	}
}

func TestAPublicNameSignedByTheStolenKeyIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ensure(t, dir, testPlan(t))
	for _, name := range []string{DevelopmentCA, InternalCA} {
		b, authority := load(t, dir, name)
		for _, host := range []string{"example.com", "*.com", "10.0.0.1", "2001:db8::1"} {
			forged, err := issue("forged", []string{host}, authority, time.Now(), time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			p, err := forged.parse()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.cert.Verify(x509.VerifyOptions{Roots: roots(t, b.Cert)}); err == nil {
				t.Errorf("%s signs for %s", name, host)
			}
		}
	}
}

func TestAHandshakeVerifiesTheChain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ensure(t, dir, testPlan(t))
	b, _ := load(t, dir, Edge)
	certificate, err := tls.X509KeyPair(b.Cert, b.Key)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "dog") }))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	server.StartTLS()
	defer server.Close()
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots(t, b.CA), ServerName: "dictionary.localhost"}}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}

func TestKeysAreLockedUp(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ensure(t, dir, testPlan(t))
	keys := []string{"ca.key", "internal-ca.key", "edge/tls.key", "dictionary/tls.key", "cache/tls.key"}
	if err := os.Chmod(filepath.Join(dir, "ca.key"), 0o644); err != nil {
		t.Fatal(err)
	}
	ensure(t, dir, testPlan(t))
	for _, key := range keys {
		info, err := os.Stat(filepath.Join(dir, key))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", key, info.Mode())
		}
	}
	leftovers, _ := filepath.Glob(filepath.Join(dir, "*", ".*.tmp"))
	if len(leftovers) > 0 {
		t.Errorf("temporary files are left: %v", leftovers)
	}
}

func TestWhatIsGoodIsKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, r := range ensure(t, dir, testPlan(t)) {
		if r.Action != "made" {
			t.Errorf("first run: %s was %s", name, r.Action)
		}
	}
	before, _ := load(t, dir, Edge)
	for name, r := range ensure(t, dir, testPlan(t)) {
		if r.Action != "kept" {
			t.Errorf("second run: %s was %s: %s", name, r.Action, r.Reason)
		}
	}
	after, _ := load(t, dir, Edge)
	if !bytes.Equal(before.Key, after.Key) {
		t.Error("the key was replaced")
	}
}

// The lifetime is 365 days and 5 minutes of skew: at day 243 a third is left.
func TestACertificateIsRenewedWhenLessThanAThirdIsLeft(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	plan := testPlan(t)
	plan.Now = func() time.Time { return start }
	ensure(t, dir, plan)
	for day, want := range map[int]string{243: "kept", 244: "renewed"} {
		plan.Now = func() time.Time { return start.AddDate(0, 0, day) }
		copied := t.TempDir()
		if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		reports := ensure(t, copied, plan)
		if got := reports[Edge].Action; got != want {
			t.Errorf("day %d: edge was %s, want %s", day, got, want)
		}
		if got := reports[DevelopmentCA].Action; got != "kept" {
			t.Errorf("day %d: the CA was %s", day, got)
		}
	}
}

func TestANewAuthoritySignsEverythingAnew(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	plan := testPlan(t)
	plan.Now = func() time.Time { return start }
	ensure(t, dir, plan)
	plan.Now = func() time.Time { return start.AddDate(7, 0, 0) } // of ten years
	for name, r := range ensure(t, dir, plan) {
		want := "renewed"
		if strings.HasPrefix(name, secretsPrefix) {
			want = "kept" // nobody signed it
		}
		if r.Action != want {
			t.Errorf("%s was %s", name, r.Action)
		}
	}
	b, edge := load(t, dir, Edge)
	if _, err := edge.cert.Verify(x509.VerifyOptions{Roots: roots(t, b.CA), DNSName: "localhost", CurrentTime: plan.Now()}); err != nil {
		t.Error(err)
	}
}

func TestDamageIsMendedAndNamed(t *testing.T) {
	t.Parallel()
	for reason, damage := range map[string]func(dir string) error{
		"the key is no PEM":         func(dir string) error { return os.WriteFile(filepath.Join(dir, "edge/tls.key"), []byte("x"), 0o600) },
		"the certificate is no PEM": func(dir string) error { return os.Truncate(filepath.Join(dir, "edge/tls.crt"), 0) },
		"the key does not belong": func(dir string) error {
			return os.Rename(filepath.Join(dir, "cache/tls.key"), filepath.Join(dir, "edge/tls.key"))
		},
		"authorities stored beside": func(dir string) error { return os.Remove(filepath.Join(dir, "edge/ca.crt")) },
	} {
		dir := t.TempDir()
		ensure(t, dir, testPlan(t))
		if err := damage(dir); err != nil {
			t.Fatal(err)
		}
		if r := ensure(t, dir, testPlan(t))[Edge]; r.Action != "renewed" || !strings.Contains(r.Reason, reason) {
			t.Errorf("%s: the report says %s: %s", reason, r.Action, r.Reason)
		}
	}
}

func TestAnAddedHostIsNamed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	plan := testPlan(t)
	ensure(t, dir, plan)
	plan.EdgeHosts = append(plan.EdgeHosts, "console.localhost")
	if r := ensure(t, dir, plan)[Edge]; r.Action != "renewed" || r.Reason != "it does not name console.localhost" {
		t.Errorf("the report says %s: %s", r.Action, r.Reason)
	}
	plan.EdgeHosts = append(plan.EdgeHosts, "example.com")
	if _, err := EnsureDir(context.Background(), dir, plan); err == nil || !strings.Contains(err.Error(), "example.com") {
		t.Errorf("a public name is not refused by name: %v", err)
	}
}

func TestTwoRunsAtOnceAgree(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	plan := testPlan(t)
	var runs sync.WaitGroup
	for range 8 {
		runs.Go(func() {
			if _, err := EnsureDir(context.Background(), dir, plan); err != nil {
				t.Error(err)
			}
		})
	}
	runs.Wait()
	for name, r := range ensure(t, dir, plan) {
		if r.Action != "kept" {
			t.Errorf("%s was %s: %s", name, r.Action, r.Reason)
		}
	}
}

func TestTrustSaysHowAndHowToTakeItBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ensure(t, dir, testPlan(t))
	_, authority := load(t, dir, DevelopmentCA)
	var out strings.Builder
	if err := Trust(context.Background(), &out, dir); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	for _, want := range []string{filepath.Join(dir, "ca.crt"), fingerprint(authority.cert.Raw), "update-ca-certificates --fresh", "remove-trusted-cert", "Firefox", "Nothing has been changed"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if strings.Count(text, "untrust:") != strings.Count(text, "\n  trust:") {
		t.Error("a way to trust has no way back")
	}
}

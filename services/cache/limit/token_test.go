package limit

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/flotilla-dev/flotilla/internal/await"
)

// keyPair makes keys from a seed, so that a failure can be repeated.
func keyPair(seed byte) (ed25519.PrivateKey, []byte) {
	private := ed25519.NewKeyFromSeed([]byte(strings.Repeat(string(rune(seed)), ed25519.SeedSize)))
	der, _ := x509.MarshalPKIXPublicKey(private.Public())
	return private, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func claims(subject string, valid time.Duration) jwt.RegisteredClaims {
	return jwt.RegisteredClaims{Subject: subject, Audience: jwt.ClaimStrings{"flotilla"}, ExpiresAt: jwt.NewNumericDate(time.Now().Add(valid))}
}

func signed(t testing.TB, method jwt.SigningMethod, key any, c jwt.Claims) string {
	t.Helper()
	token, err := jwt.NewWithClaims(method, c).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func verifierOn(t testing.TB, content []byte) (*Verifier, string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "login.pub")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	v, err := NewVerifier(VerifierOptions{KeyFile: file, Audience: "flotilla"})
	if err != nil {
		t.Fatal(err)
	}
	return v, file
}

func TestOnlyATokenOfOursMakesALogin(t *testing.T) {
	private, public := keyPair('a')
	stranger, _ := keyPair('b')
	v, _ := verifierOn(t, public)
	good := signed(t, jwt.SigningMethodEdDSA, private, claims("alice", time.Hour))
	cut := strings.LastIndexByte(good, '.')
	other := claims("alice", time.Hour)
	other.Audience = jwt.ClaimStrings{"elsewhere"}
	eternal := claims("alice", time.Hour)
	eternal.ExpiresAt = nil
	future := claims("alice", time.Hour)
	future.NotBefore = jwt.NewNumericDate(time.Now().Add(time.Minute))
	for name, token := range map[string]string{
		"signed by a stranger":        signed(t, jwt.SigningMethodEdDSA, stranger, claims("alice", time.Hour)),
		"expired":                     signed(t, jwt.SigningMethodEdDSA, private, claims("alice", -time.Second)),
		"for another audience":        signed(t, jwt.SigningMethodEdDSA, private, other),
		"without an end":              signed(t, jwt.SigningMethodEdDSA, private, eternal),
		"not valid yet":               signed(t, jwt.SigningMethodEdDSA, private, future),
		"without a subject":           signed(t, jwt.SigningMethodEdDSA, private, claims("", time.Hour)),
		"unsigned":                    signed(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, claims("alice", time.Hour)),
		"signed with the public key":  signed(t, jwt.SigningMethodHS256, public, claims("alice", time.Hour)),
		"without its signature":       good[:cut+1],
		"with another's signature":    good[:cut] + signed(t, jwt.SigningMethodEdDSA, private, claims("bob", time.Hour))[cut:],
		"with something behind":       good + "A",
		"too long":                    good + strings.Repeat("A", maxToken),
		"empty":                       "",
		"nothing like it":             "....",
		"with a subject of no length": signed(t, jwt.SigningMethodEdDSA, private, claims(strings.Repeat("x", maxSubject+1), time.Hour)),
	} {
		for range 2 { // the second time from memory
			if who, ok := v.Login(token); ok {
				t.Errorf("a token %s makes a login of %v", name, who)
			}
		}
	}
	for range 2 {
		if who, ok := v.Login(good); !ok || who != OfLogin("alice") {
			t.Errorf("the good token: %v, %v", who, ok)
		}
	}
}

func TestARememberedTokenExpires(t *testing.T) {
	private, public := keyPair('a')
	v, _ := verifierOn(t, public)
	token := signed(t, jwt.SigningMethodEdDSA, private, claims("alice", time.Hour))
	if _, ok := v.Login(token); !ok {
		t.Fatal("not believed")
	}
	for d, known := range v.state.Load().known.believed.found {
		if until := time.Until(known.until); until > time.Hour || until < time.Hour-10*time.Second {
			t.Errorf("remembered for %v, want until it expires", until)
		}
		known.until = time.Now().Add(-time.Second)
		v.state.Load().known.believed.found[d] = known
	}
	v.budget.perSecond, v.budget.left = 0, 0
	if _, ok := v.Login(token); ok {
		t.Error("believed from memory after its end")
	}
}

func TestMemoryAndVerificationAreBounded(t *testing.T) {
	m := newRingMap(3)
	for i := range byte(10) {
		m.add([32]byte{i}, verified{ok: true})
		m.add([32]byte{i}, verified{ok: true})
	}
	if len(m.found) != 3 || len(m.order) != 3 {
		t.Errorf("%d remembered, want 3", len(m.found))
	}
	for i := range byte(10) {
		if _, ok := m.find([32]byte{i}); ok != (i >= 7) {
			t.Errorf("%d remembered: %v", i, ok)
		}
	}
	b := budget{perSecond: 5}
	now, taken := time.Now(), 0
	for i := range 1000 { // a second
		if b.take(now.Add(time.Duration(i) * time.Millisecond)) {
			taken++
		}
	}
	if taken < 9 || taken > 10 {
		t.Errorf("%d verifications in the first second, want a burst of 5 and 5/s", taken)
	}
}

func TestKeysRotateWithAnOverlap(t *testing.T) {
	old, oldPub := keyPair('a')
	fresh, freshPub := keyPair('b')
	v, file := verifierOn(t, oldPub)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { _ = v.Run(ctx); close(done) }()
	defer func() { cancel(); <-done }()
	byOld := signed(t, jwt.SigningMethodEdDSA, old, claims("alice", time.Hour))
	byFresh := signed(t, jwt.SigningMethodEdDSA, fresh, claims("alice", time.Hour))
	for _, step := range []struct {
		content       []byte
		change        bool
		old, newToken bool
	}{
		{oldPub, false, true, false},
		{append(append([]byte{}, oldPub...), freshPub...), true, true, true},
		{[]byte("broken"), false, true, true},
		{freshPub, true, false, true},
	} {
		before := v.state.Load()
		next := file + ".next"
		if err := os.WriteFile(next, step.content, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(next, file); err != nil {
			t.Fatal(err)
		}
		await.That(t, "the change is seen", func() bool { return !step.change || v.state.Load() != before })
		_, gotOld := v.Login(byOld)
		_, gotNew := v.Login(byFresh)
		if gotOld != step.old || gotNew != step.newToken {
			t.Errorf("with %q: old %v, new %v", step.content, gotOld, gotNew)
		}
	}
}

func TestAKeyFileWithAMistakeIsRefused(t *testing.T) {
	private, public := keyPair('a')
	der, _ := x509.MarshalPKCS8PrivateKey(private)
	dir := t.TempDir()
	for name, content := range map[string]string{
		"empty":       "",
		"a private":   string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		"three keys":  strings.Repeat(string(public), 3),
		"a broken":    string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})),
		"not PEM":     "key",
		"nothing":     "-----BEGIN PUBLIC KEY-----",
		"private too": string(public) + string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	} {
		file := filepath.Join(dir, "key")
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := NewVerifier(VerifierOptions{KeyFile: file, Audience: "a"}); err == nil {
			t.Errorf("%s key: accepted", name)
		}
	}
	if _, err := NewVerifier(VerifierOptions{KeyFile: filepath.Join(dir, "none"), Audience: "a"}); err == nil {
		t.Error("no file: accepted")
	}
}

func TestIdentifyTakesTheLoginAndElseTheAddress(t *testing.T) {
	private, public := keyPair('a')
	v, _ := verifierOn(t, public)
	i := &Identifier{Tokens: v, Cookie: "__Host-login"}
	good := signed(t, jwt.SigningMethodEdDSA, private, claims("alice", time.Hour))
	client := netip.MustParseAddr("192.0.2.7")
	behind := OfAddress(client)
	for _, c := range []struct {
		name, authorization, cookie string
		want                        Identity
	}{
		{"bearer", "Bearer " + good, "", OfLogin("alice")},
		{"bearer in small letters", "bearer " + good, "", OfLogin("alice")},
		{"cookie", "", "a=b; __Host-login=" + good + "; c=d", OfLogin("alice")},
		{"forged bearer, good cookie", "Bearer x.y.z", "__Host-login=" + good, OfLogin("alice")},
		{"another cookie", "", "login=" + good, behind},
		{"basic", "Basic " + good, "", behind},
		{"forged", "Bearer " + good[:len(good)-4] + "AAAA", "", behind},
		{"none", "", "", behind},
	} {
		if got := i.Identify(client, c.authorization, c.cookie); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func FuzzLogin(f *testing.F) {
	private, public := keyPair('a')
	v, _ := verifierOn(f, public)
	v.budget.perSecond = 1e9
	good := signed(f, jwt.SigningMethodEdDSA, private, claims("alice", time.Hour))
	f.Add(good)
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("..")
	f.Add(good[:len(good)-1])
	f.Fuzz(func(t *testing.T, token string) {
		if who, ok := v.Login(token); ok && token != good {
			t.Errorf("%q makes a login of %v", token, who)
		}
	})
}

func BenchmarkLogin(b *testing.B) {
	private, public := keyPair('a')
	v, _ := verifierOn(b, public)
	v.budget.perSecond = 1e12
	var tokens []string
	for i := range 1000 {
		tokens = append(tokens, signed(b, jwt.SigningMethodEdDSA, private, claims(fmt.Sprint("user", i), time.Hour)))
	}
	b.Run("remembered", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if _, ok := v.Login(tokens[i%len(tokens)]); !ok {
				b.Fatal("refused")
			}
		}
	})
	b.Run("verified", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			v.verify(v.state.Load(), tokens[0], time.Now())
		}
	})
}

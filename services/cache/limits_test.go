package cache

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/golang-jwt/jwt/v5"

	"github.com/flotilla-dev/flotilla/internal/await"
)

// tokenFor makes a key file for the cache and a login token that it signs.
func tokenFor(t *testing.T, subject string) (keyFile, token string) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	must(t, err)
	der, err := x509.MarshalPKIXPublicKey(public)
	must(t, err)
	keyFile = filepath.Join(t.TempDir(), "login.pub")
	must(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), 0o600))
	token, err = jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.RegisteredClaims{
		Subject: subject, Audience: jwt.ClaimStrings{"flotilla"}, ExpiresAt: jwt.NewNumericDate(time.Now().Add(time.Hour)),
	}).SignedString(private)
	must(t, err)
	return keyFile, token
}

const limited = `
limits: [{name: all, prefix: /, anonymous: {rate: 0.1, burst: 2}, login: {rate: 0.1, burst: 4}}]
`

func policyFile(t *testing.T, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "policy.yaml")
	must(t, os.WriteFile(file, []byte(content), 0o600))
	return file
}

func TestAClientPastItsLimitIsRefusedAndALoginHasItsOwn(t *testing.T) {
	seen := make(chan http.Header, 16)
	up := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		seen <- r.Header
		rw.Header().Set("Cache-Control", "max-age=60")
		_, _ = io.WriteString(rw, "hello")
	}))
	defer up.Close()
	key, token := tokenFor(t, "alice")
	data, _, stop := running(t, map[string]string{"CACHE_UPSTREAM": up.Listener.Addr().String(), "CACHE_POLICY_FILE": policyFile(t, limited), "CACHE_LOGIN_KEY_FILE": key})
	defer stop()
	url := "http://" + data + "/"

	if r := ask(t, "GET", url, "", "Authorization: Bearer "+token); r.StatusCode != 200 || r.Header.Get("X-RateLimit-Limit") != "4" {
		t.Errorf("login: %d %v", r.StatusCode, r.Header)
	}
	if h := <-seen; h.Get("Authorization") != "" {
		t.Error("the token for the cache reached the origin")
	}
	for n := range 2 {
		if r := ask(t, "GET", url, ""); r.StatusCode != 200 || !r.hit() || r.Header.Get("RateLimit") == "" {
			t.Errorf("request %d: %d %s %v", n, r.StatusCode, r.cs(), r.Header)
		}
	}
	r := ask(t, "GET", url, "", "Authorization: Bearer forged")
	if r.StatusCode != 429 || r.Header.Get("X-RateLimit-Remaining") != "0" || len(r.Header.Values("Retry-After")) != 1 || !strings.Contains(r.body, "problem") && !strings.Contains(r.body, `"status":429`) {
		t.Errorf("past the limit: %d %v %s", r.StatusCode, r.Header, r.body)
	}
	if r := ask(t, "GET", url, "", "Cookie: __Host-login="+token); r.StatusCode != 200 {
		t.Errorf("login by cookie: %d", r.StatusCode)
	}
}

func TestAReloadedPolicyChangesTheLimits(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, "hello") }))
	defer up.Close()
	file := policyFile(t, "routes: []")
	data, _, stop := running(t, map[string]string{"CACHE_UPSTREAM": up.Listener.Addr().String(), "CACHE_POLICY_FILE": file})
	defer stop()
	must(t, os.WriteFile(file, []byte(limited), 0o600))
	await.That(t, "the limits hold", func() bool { return ask(t, "GET", "http://"+data+"/", "").StatusCode == 429 })
}

func TestAPurgeReachesTheOtherReplicaThroughRedis(t *testing.T) {
	r := miniredis.RunT(t)
	up := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Cache-Control", "max-age=600")
		_, _ = io.WriteString(rw, "hello")
	}))
	defer up.Close()
	env := map[string]string{"CACHE_UPSTREAM": up.Listener.Addr().String(), "CACHE_REDIS_ADDR": r.Addr()}
	dataA, adminA, stopA := running(t, env)
	defer stopA()
	dataB, _, stopB := running(t, env)
	defer stopB()
	for _, data := range []string{dataA, dataB} {
		await.That(t, "the replica is current: a hit", func() bool { return ask(t, "GET", "http://"+data+"/dog", "").hit() })
	}
	if r := ask(t, "POST", "http://"+adminA+"/v1/invalidations", `{"ban":"^/dog$"}`); r.StatusCode != 200 {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	if r := ask(t, "GET", "http://"+dataA+"/dog", ""); r.hit() {
		t.Errorf("the replica that was asked: %s", r.cs())
	}
	// Within the window of a second the other has applied it, or validates.
	await.That(t, "the other replica does not serve what was purged", func() bool { return !ask(t, "GET", "http://"+dataB+"/dog", "").hit() })
	r.Close()
	await.That(t, "a replica that is cut off validates", func() bool { return !ask(t, "GET", "http://"+dataB+"/dog", "").hit() })
}

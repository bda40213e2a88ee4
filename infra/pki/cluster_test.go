package pki

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// apiServer keeps Secrets as the real one does under server-side apply: a
// version for each write, and a conflict for whoever applies an older one, or
// without force what another manager set otherwise.
type apiServer struct {
	mu      sync.Mutex // guards all below
	secrets map[string]secret
	manager map[string]string // of a Secret's fields
	version int
	verbs   []string
	queries []url.Values
	deny    string            // a method that the account has no right to
	before  func(name string) // called before a write, with the lock held
}

func (a *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.verbs = append(a.verbs, r.Method)
	a.queries = append(a.queries, r.URL.Query())
	if r.Header.Get("Authorization") != "Bearer the-token" || r.Method == a.deny {
		answer(w, http.StatusForbidden, fmt.Sprintf(`secrets is forbidden: User "system:serviceaccount:flotilla:pki" cannot %s resource`, r.Method))
		return
	}
	name, found := strings.CutPrefix(r.URL.Path, "/api/v1/namespaces/flotilla/secrets")
	name = strings.TrimPrefix(name, "/")
	if !found {
		answer(w, http.StatusNotFound, "no such path")
		return
	}
	if r.Method == http.MethodGet {
		s, exists := a.secrets[name]
		if !exists {
			answer(w, http.StatusNotFound, "secrets not found")
			return
		}
		json.NewEncoder(w).Encode(s)
		return
	}
	a.write(w, r, name)
}

func (a *apiServer) write(w http.ResponseWriter, r *http.Request, name string) {
	var s secret
	if err := json.NewDecoder(r.Body).Decode(&s); err != nil || s.Kind != "Secret" || s.Type != "kubernetes.io/tls" && s.Type != "Opaque" {
		answer(w, http.StatusBadRequest, "not a secret")
		return
	}
	if r.Method != http.MethodPatch || r.Header.Get("Content-Type") != "application/apply-patch+yaml" || name != s.Metadata.Name {
		answer(w, http.StatusMethodNotAllowed, "not a server-side apply of this name")
		return
	}
	if a.before != nil {
		a.before(s.Metadata.Name)
	}
	old, exists := a.secrets[s.Metadata.Name]
	manager, forced := r.URL.Query().Get("fieldManager"), r.URL.Query().Get("force") == "true"
	version := s.Metadata.ResourceVersion
	owned := exists && !forced && a.manager[name] != manager && !reflect.DeepEqual(old.Data, s.Data)
	if owned || version != "" && version != old.Metadata.ResourceVersion {
		answer(w, http.StatusConflict, "conflict")
		return
	}
	a.put(s)
	a.manager[name] = manager
	json.NewEncoder(w).Encode(s)
}

func (a *apiServer) put(s secret) {
	a.version++
	s.Metadata.ResourceVersion = fmt.Sprint(a.version)
	a.secrets[s.Metadata.Name] = s
}

func answer(w http.ResponseWriter, status int, message string) {
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]any{"kind": "Status", "message": message})
}

// cluster starts an API server and the service account of a pod for it.
func cluster(t *testing.T) (*apiServer, *Cluster) {
	t.Helper()
	api := &apiServer{secrets: map[string]secret{}, manager: map[string]string{}}
	server := httptest.NewTLSServer(api)
	t.Cleanup(server.Close)
	account := t.TempDir()
	for name, content := range map[string][]byte{
		"token": []byte("the-token\n"), "namespace": []byte("flotilla\n"),
		"ca.crt": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
	} {
		if err := os.WriteFile(filepath.Join(account, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := InCluster(strings.TrimPrefix(server.URL, "https://"), account)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.HTTP.CloseIdleConnections)
	return api, c
}

func TestSecretsAreMadeOnceAndKept(t *testing.T) {
	t.Parallel()
	api, c := cluster(t)
	for _, want := range []string{"made", "kept"} {
		reports, err := Ensure(context.Background(), c, testPlan(t))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range reports {
			if r.Action != want {
				t.Errorf("%s was %s, want %s", r.Name, r.Action, want)
			}
		}
	}
	for _, name := range []string{"ssl", "dictionary-tls", "cache-tls", "development-ca", "internal-ca"} {
		if _, exists := api.secrets[name]; !exists {
			t.Errorf("there is no secret %s", name)
		}
	}
	if random := api.secrets["edge-tickets"].Data["secret"]; len(random) != 2*secretSize+1 {
		t.Errorf("the ticket secret has %d bytes", len(random))
	}
	s := api.secrets["dictionary-tls"]
	p, err := Bundle{Cert: s.Data["tls.crt"], Key: s.Data["tls.key"]}.parse()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.cert.Verify(x509.VerifyOptions{Roots: roots(t, s.Data["ca.crt"]), DNSName: "dictionary.flotilla.svc"}); err != nil {
		t.Error(err)
	}
}

func TestADamagedSecretIsUpdated(t *testing.T) {
	t.Parallel()
	api, c := cluster(t)
	if _, err := Ensure(context.Background(), c, testPlan(t)); err != nil {
		t.Fatal(err)
	}
	s := api.secrets["ssl"]
	s.Data["tls.key"] = nil
	api.secrets["ssl"] = s
	reports, err := Ensure(context.Background(), c, testPlan(t))
	if err != nil {
		t.Fatal(err)
	}
	if got := reports[2]; got.Name != Edge || got.Action != "renewed" {
		t.Errorf("the report says %+v", got)
	}
	forced := 0
	for _, q := range api.queries {
		if q.Get("force") == "true" {
			forced++
		}
	}
	if forced != 1 {
		t.Errorf("%d requests took fields over by force, want the one of the damaged secret", forced)
	}
}

func TestASecretOfSomebodyElseIsLeftAlone(t *testing.T) {
	t.Parallel()
	api, c := cluster(t)
	api.put(secret{Metadata: metadata{Name: "ssl"}, Data: map[string][]byte{"tls.crt": []byte("bought")}})
	reports, err := Ensure(context.Background(), c, testPlan(t))
	if err != nil {
		t.Fatal(err)
	}
	if got := reports[2]; got.Action != "left alone" {
		t.Errorf("the report says %+v", got)
	}
	if got := string(api.secrets["ssl"].Data["tls.crt"]); got != "bought" {
		t.Errorf("the certificate is now %q", got)
	}
	api.put(secret{Metadata: metadata{Name: "internal-ca"}})
	if _, err := Ensure(context.Background(), c, testPlan(t)); !errors.Is(err, ErrForeign) {
		t.Errorf("an authority of somebody else: %v", err)
	}
}

func TestTheLoserOfARaceUsesTheWinnersAuthority(t *testing.T) {
	t.Parallel()
	api, c := cluster(t)
	winner, err := issueAuthority("winner", testPlan(t).permitted(DevelopmentCA), testPlan(t).now(), testPlan(t).CALifetime)
	if err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	api.before = func(name string) {
		once.Do(func() {
			api.put(secret{
				Metadata: metadata{Name: name, Labels: map[string]string{managedByLabel: ManagedBy}},
				Data:     map[string][]byte{"tls.crt": winner.Cert, "tls.key": winner.Key},
			})
		})
	}
	if _, err := Ensure(context.Background(), c, testPlan(t)); err != nil {
		t.Fatal(err)
	}
	if got := string(api.secrets["ssl"].Data["ca.crt"]); got != string(winner.Cert) {
		t.Error("the edge's certificate is not signed by the winner")
	}
}

func TestAMissingRightIsNamed(t *testing.T) {
	t.Parallel()
	api, c := cluster(t)
	api.deny = http.MethodPatch
	_, err := Ensure(context.Background(), c, testPlan(t))
	if err == nil || !strings.Contains(err.Error(), "cannot PATCH resource") {
		t.Errorf("the error is %v", err)
	}
}

func TestAnAPIServerWithAnotherCertificateGetsNoToken(t *testing.T) {
	t.Parallel()
	api, c := cluster(t)
	c.HTTP = &http.Client{Transport: &http.Transport{}} // the system's roots
	if _, err := Ensure(context.Background(), c, testPlan(t)); err == nil {
		t.Error("an unknown server is trusted")
	}
	if len(api.verbs) != 0 {
		t.Error("a request was sent")
	}
}

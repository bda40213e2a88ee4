package replicatest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/flotilla-dev/flotilla/internal/certs/certstest"
)

// A Kubernetes is an API server with Deployments and StatefulSets in the namespace fleet: 401 without the token, 404
// for what is not there, 409 for a write that is not conditional on the newest version, 422 for one with a wrong number.
type Kubernetes struct {
	state
	URL     string
	Account string // folder of the service account

	t     testing.TB
	token string
}

const workloads = "/apis/apps/v1/namespaces/fleet/"

// StartKubernetes starts an API server until the end of the test. Services are named as in deployment/name.
func StartKubernetes(t testing.TB) *Kubernetes {
	t.Helper()
	ca := certstest.New(t)
	k := &Kubernetes{state: state{services: map[string]*service{}}, Account: t.TempDir(), t: t}
	k.Rotate("first-token")
	k.write("namespace", "fleet\n")
	pem, err := os.ReadFile(ca.File)
	if err != nil {
		t.Fatal(err)
	}
	k.write("ca.crt", string(pem))
	server := httptest.NewUnstartedServer(http.HandlerFunc(k.serve))
	server.TLS = ca.Server("localhost")
	server.StartTLS()
	t.Cleanup(server.Close)
	k.URL = "https://" + strings.Replace(server.Listener.Addr().String(), "127.0.0.1", "localhost", 1)
	return k
}

func (k *Kubernetes) write(name, text string) {
	k.t.Helper()
	if err := os.WriteFile(filepath.Join(k.Account, name), []byte(text), 0o600); err != nil {
		k.t.Fatal(err)
	}
}

// Rotate replaces the token: the one before is not accepted any more.
func (k *Kubernetes) Rotate(token string) {
	k.t.Helper()
	k.mu.Lock()
	k.token = token
	k.mu.Unlock()
	k.write("token", token+"\n")
}

func status(w http.ResponseWriter, code int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":%q,"code":%d}`, message, code)
}

func (k *Kubernetes) serve(w http.ResponseWriter, r *http.Request) {
	k.mu.Lock()
	token := k.token
	k.mu.Unlock()
	path, known := strings.CutPrefix(r.URL.Path, workloads)
	path, scale := strings.CutSuffix(path, "/scale")
	name := strings.Replace(strings.Replace(path, "deployments/", "deployment/", 1), "statefulsets/", "statefulset/", 1)
	switch {
	case k.isBroken():
		status(w, http.StatusInternalServerError, "etcdserver: request timed out")
	case r.Header.Get("Authorization") != "Bearer "+token:
		status(w, http.StatusUnauthorized, "Unauthorized")
	case !known || !k.has(name):
		status(w, http.StatusNotFound, name+" not found")
	case r.Method == http.MethodGet && scale:
		k.answer(w, k.scale(name))
	case r.Method == http.MethodGet:
		k.answer(w, k.workload(name))
	case r.Method == http.MethodPut && scale:
		k.wait(r.Context().Done())
		k.put(w, r, name)
	default:
		status(w, http.StatusMethodNotAllowed, "the server does not allow this method")
	}
}

func (k *Kubernetes) has(name string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.services[name] != nil
}

func (k *Kubernetes) answer(w http.ResponseWriter, object map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(object) // the client may be gone
}

func (k *Kubernetes) scale(name string) map[string]any {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.services[name]
	spec := map[string]any{"replicas": s.want}
	if s.want == 0 {
		spec = map[string]any{} // as the API server leaves zeros out
	}
	_, short, _ := strings.Cut(name, "/")
	return map[string]any{
		"kind": "Scale", "apiVersion": "autoscaling/v1", "spec": spec, "status": map[string]any{"replicas": s.ready, "selector": "app=" + short},
		"metadata": map[string]any{"name": short, "namespace": "fleet", "resourceVersion": strconv.Itoa(s.version)},
	}
}

func (k *Kubernetes) workload(name string) map[string]any {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.services[name]
	return map[string]any{"spec": map[string]any{"replicas": s.want}, "status": map[string]any{"readyReplicas": s.ready}}
}

// put writes a scale. Its replicas are not ready before the test says so.
func (k *Kubernetes) put(w http.ResponseWriter, r *http.Request, name string) {
	var o struct {
		Kind     string
		Metadata struct{ Name, ResourceVersion string }
		Spec     struct{ Replicas int }
	}
	if err := json.NewDecoder(r.Body).Decode(&o); err != nil || o.Kind != "Scale" || !strings.HasSuffix(name, "/"+o.Metadata.Name) {
		status(w, http.StatusBadRequest, "this is no Scale of "+name)
		return
	}
	k.mu.Lock()
	s := k.services[name]
	version, ready := strconv.Itoa(s.version), s.ready
	k.mu.Unlock()
	switch {
	case o.Metadata.ResourceVersion != version:
		status(w, http.StatusConflict, "the object has been modified; please apply your changes to the latest version and try again")
	case o.Spec.Replicas < 0:
		status(w, http.StatusUnprocessableEntity, "spec.replicas: must be greater than or equal to 0")
	default:
		k.Set(name, o.Spec.Replicas, min(ready, o.Spec.Replicas))
		k.answer(w, k.scale(name))
	}
}

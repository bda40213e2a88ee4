// Package kubetest is as much of a Kubernetes API server as a Lease needs, for tests: objects
// with resource versions from one counter, 409 for a write that is not conditional on the
// newest one, 422 for one that is not conditional at all, 401 without the token, watches that
// begin at a version and end with 410 when it is too old.
package kubetest

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/flotilla-dev/flotilla/internal/certs/certstest"
)

const leases = "/apis/coordination.k8s.io/v1/namespaces/fleet/leases"

// Server is a running API server with the namespace fleet.
type Server struct {
	URL     string
	Account string // folder of the service account

	t testing.TB

	mu      sync.Mutex // guards all below
	token   string
	version uint64
	oldest  uint64 // the oldest version from which a watch may begin
	objects map[string]map[string]any
	changes []change
	changed chan struct{}            // closed, and replaced, at each change
	fail    func(*http.Request) bool // makes a request fail with 500
}

type change struct {
	kind, name string
	version    uint64
	object     json.RawMessage
}

// Start starts a server until the end of the test.
func Start(t testing.TB) *Server {
	t.Helper()
	ca := certstest.New(t)
	s := &Server{t: t, Account: t.TempDir(), version: 1000, objects: map[string]map[string]any{}, changed: make(chan struct{})}
	s.Rotate("first-token")
	s.write("namespace", "fleet")
	pem, err := os.ReadFile(ca.File)
	if err != nil {
		t.Fatal(err)
	}
	s.write("ca.crt", string(pem))
	server := httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	server.TLS = ca.Server("localhost")
	server.StartTLS()
	t.Cleanup(func() {
		server.CloseClientConnections() // of watches
		server.Close()
	})
	s.URL = server.URL
	return s
}

func (s *Server) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.Account, name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// Rotate replaces the token: the one before is not accepted any more.
func (s *Server) Rotate(token string) {
	s.t.Helper()
	s.mu.Lock()
	s.token = token
	s.mu.Unlock()
	s.write("token", token+"\n")
}

// Fail makes requests fail with 500, until it is called with nil.
func (s *Server) Fail(which func(*http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = which
	s.announce() // ends watches that are on
}

// Compact forgets all changes: watches from before end with 410.
func (s *Server) Compact() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.oldest, s.changes = s.version, nil
	s.announce()
}

// Restore sets the counter of versions back, as a restored backup does.
func (s *Server) Restore(version uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version = version
	for _, o := range s.objects {
		s.bump(o)
	}
}

// Delete deletes a Lease, as kubectl does.
func (s *Server) Delete(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.objects[name]
	delete(s.objects, name)
	s.record("DELETED", name, o)
}

// Annotate changes a Lease without holding it, as kubectl does.
func (s *Server) Annotate(name, key, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.objects[name]
	meta := o["metadata"].(map[string]any)
	annotations, _ := meta["annotations"].(map[string]any)
	annotations = maps.Clone(annotations)
	if annotations == nil {
		annotations = map[string]any{}
	}
	annotations[key] = value
	meta["annotations"] = annotations
	s.record("MODIFIED", name, o)
}

// Object returns a Lease as JSON, "" if there is none.
func (s *Server) Object(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, there := s.objects[name]
	if !there {
		return ""
	}
	text, err := json.Marshal(o)
	if err != nil {
		s.t.Error(err)
	}
	return string(text)
}

func (s *Server) bump(o map[string]any) uint64 {
	s.version++
	o["metadata"].(map[string]any)["resourceVersion"] = strconv.FormatUint(s.version, 10)
	return s.version
}

// record notes a change, with a new version; the mutex is held.
func (s *Server) record(kind, name string, o map[string]any) {
	version := s.bump(o)
	text, err := json.Marshal(o)
	if err != nil {
		s.t.Error(err)
	}
	s.changes = append(s.changes, change{kind, name, version, text})
	s.announce()
}

func (s *Server) announce() {
	close(s.changed)
	s.changed = make(chan struct{})
}

func status(w http.ResponseWriter, code int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":%q,"code":%d}`, message, code)
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	token, fail := s.token, s.fail
	s.mu.Unlock()
	name, one := strings.CutPrefix(r.URL.Path, leases+"/")
	switch {
	case fail != nil && fail(r):
		status(w, http.StatusInternalServerError, "etcdserver: request timed out")
	case r.Header.Get("Authorization") != "Bearer "+token:
		status(w, http.StatusUnauthorized, "Unauthorized")
	case r.Method == http.MethodGet && r.URL.Query().Get("watch") == "true" && r.URL.Path == leases:
		s.watch(w, r)
	case r.Method == http.MethodPost && r.URL.Path == leases:
		s.create(w, r)
	case one && r.Method == http.MethodGet:
		s.get(w, name)
	case one && r.Method == http.MethodPut:
		s.put(w, r, name)
	default:
		status(w, http.StatusNotFound, "the server could not find the requested resource")
	}
}

func (s *Server) get(w http.ResponseWriter, name string) {
	if text := s.Object(name); text != "" {
		_, _ = io.WriteString(w, text) // the client may be gone
		return
	}
	status(w, http.StatusNotFound, "leases.coordination.k8s.io not found")
}

func decode(w http.ResponseWriter, r *http.Request) (o map[string]any, name, version string) {
	if err := json.NewDecoder(r.Body).Decode(&o); err != nil {
		status(w, http.StatusBadRequest, err.Error())
		return nil, "", ""
	}
	meta, _ := o["metadata"].(map[string]any)
	name, _ = meta["name"].(string)
	version, _ = meta["resourceVersion"].(string)
	spec, _ := o["spec"].(map[string]any)
	if seconds, given := spec["leaseDurationSeconds"].(float64); name == "" || given && seconds <= 0 {
		status(w, http.StatusUnprocessableEntity, "spec.leaseDurationSeconds: must be greater than 0, and a name is needed")
		return nil, "", ""
	}
	return o, name, version
}

func (s *Server) create(w http.ResponseWriter, r *http.Request) {
	o, name, version := decode(w, r)
	if o == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case version != "":
		status(w, http.StatusBadRequest, "resourceVersion should not be set on objects to be created")
		return
	case s.objects[name] != nil:
		status(w, http.StatusConflict, "leases.coordination.k8s.io already exists")
		return
	}
	s.objects[name] = o
	s.record("ADDED", name, o)
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(o) // the client may be gone
}

func (s *Server) put(w http.ResponseWriter, r *http.Request, name string) {
	o, named, version := decode(w, r)
	if o == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.objects[name]
	switch {
	case named != name:
		status(w, http.StatusBadRequest, "the name of the object does not match the name on the URL")
		return
	case version == "":
		status(w, http.StatusUnprocessableEntity, "metadata.resourceVersion: must be specified for an update")
		return
	case before == nil, before["metadata"].(map[string]any)["resourceVersion"] != version:
		status(w, http.StatusConflict, "the object has been modified; please apply your changes to the latest version and try again")
		return
	}
	s.objects[name] = o
	s.record("MODIFIED", name, o)
	_ = json.NewEncoder(w).Encode(o) // the client may be gone
}

func (s *Server) watch(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Query().Get("fieldSelector"), "metadata.name=")
	from, _ := strconv.ParseUint(r.URL.Query().Get("resourceVersion"), 10, 64)
	w.Header().Set("Content-Type", "application/json")
	flusher := w.(http.Flusher)
	flusher.Flush()
	if from == 0 { // begin with what there is
		s.mu.Lock()
		from = s.version
		s.mu.Unlock()
		if text := s.Object(name); text != "" {
			fmt.Fprintf(w, `{"type":"ADDED","object":%s}`+"\n", text)
			flusher.Flush()
		}
	}
	for {
		s.mu.Lock()
		changes, changed, old, fail := s.changes, s.changed, from < s.oldest, s.fail
		s.mu.Unlock()
		if old {
			fmt.Fprint(w, `{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired"}}`+"\n")
			return
		}
		if fail != nil && fail(r) {
			return
		}
		for _, c := range changes {
			if c.version > from && c.name == name {
				fmt.Fprintf(w, `{"type":%q,"object":%s}`+"\n", c.kind, c.object)
			}
			from = max(from, c.version)
		}
		flusher.Flush()
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		}
	}
}

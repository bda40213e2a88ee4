// Package kubetest is as much of a Kubernetes API server as package kube can ask for, for tests: objects with resource
// versions from one counter, 409 for a write that is not conditional on the newest one, 422 for one that is not conditional
// at all, 401 without the token, watches that begin at a version and end with 410 when it is too old, and the scale of
// workloads. It listens on a real socket, speaks HTTP/2 as the real one does, and can be made to fail.
package kubetest

import (
	"encoding/json"
	"fmt"
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

// Namespace is the one that there is.
const Namespace = "fleet"

// collections are the paths of those that there are. An object is called by the rest of its path: leases/name.
var collections = map[string]string{
	"leases":       "/apis/coordination.k8s.io/v1/namespaces/" + Namespace + "/leases",
	"deployments":  "/apis/apps/v1/namespaces/" + Namespace + "/deployments",
	"statefulsets": "/apis/apps/v1/namespaces/" + Namespace + "/statefulsets",
}

// Server is a running API server.
type Server struct {
	URL     string
	Account string // folder of the service account

	t testing.TB

	mu      sync.Mutex // guards all below
	token   string
	version uint64
	oldest  uint64 // the oldest version from which a watch may begin
	objects map[string]Object
	changes []change
	changed chan struct{} // closed, and replaced, at each change
	answers Answers
	rules   int // how often that has changed
}

// An Object as the API writes it.
type Object = map[string]any

// Answers answers a request in place of the server, and returns true, or leaves it to the server.
type Answers func(w http.ResponseWriter, r *http.Request) bool

type change struct {
	kind, key string
	version   uint64
	object    json.RawMessage
}

// Start starts a server until the end of the test.
func Start(t testing.TB) *Server {
	t.Helper()
	ca := certstest.New(t)
	s := &Server{t: t, Account: t.TempDir(), version: 1000, objects: map[string]Object{}, changed: make(chan struct{})}
	s.Rotate("first-token")
	s.write("namespace", Namespace+"\n")
	pem, err := os.ReadFile(ca.File)
	if err != nil {
		t.Fatal(err)
	}
	s.write("ca.crt", string(pem))
	server := httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	server.EnableHTTP2 = true
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
	s.Accept(token)
	s.write("token", token+"\n")
}

// Accept makes another token the one that is accepted. That in the folder stays.
func (s *Server) Accept(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token = token
}

// Intercept lets answers be asked before the server, until it is called with nil. Watches that are on end.
func (s *Server) Intercept(answers Answers) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers = answers
	s.rules++
	s.announce()
}

// Fail makes requests fail with 500, until it is called with nil.
func (s *Server) Fail(which func(*http.Request) bool) {
	if which == nil {
		s.Intercept(nil)
		return
	}
	s.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if !which(r) {
			return false
		}
		Status(w, http.StatusInternalServerError, "etcdserver: request timed out")
		return true
	})
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

// Put writes an object, as kubectl apply does.
func (s *Server) Put(key string, o Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(key, o)
}

// Delete deletes an object, as kubectl does.
func (s *Server) Delete(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.objects[key]
	delete(s.objects, key)
	s.record("DELETED", key, o)
}

// Annotate changes an object, as kubectl does.
func (s *Server) Annotate(key, annotation, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.objects[key]
	meta := metadata(o)
	annotations, _ := meta["annotations"].(Object)
	annotations = maps.Clone(annotations)
	if annotations == nil {
		annotations = Object{}
	}
	annotations[annotation] = value
	meta["annotations"] = annotations
	s.record("MODIFIED", key, o)
}

// JSON returns an object, "" if there is none.
func (s *Server) JSON(key string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, there := s.objects[key]
	if !there {
		return ""
	}
	text, err := json.Marshal(o)
	if err != nil {
		s.t.Error(err)
	}
	return string(text)
}

// put writes an object; the mutex is held.
func (s *Server) put(key string, o Object) {
	kind := "MODIFIED"
	if s.objects[key] == nil {
		kind = "ADDED"
	}
	_, name, _ := strings.Cut(key, "/")
	metadata(o)["name"] = name
	metadata(o)["namespace"] = Namespace
	s.objects[key] = o
	s.record(kind, key, o)
}

func metadata(o Object) Object {
	meta, _ := o["metadata"].(Object)
	if meta == nil {
		meta = Object{}
		o["metadata"] = meta
	}
	return meta
}

func (s *Server) bump(o Object) uint64 {
	s.version++
	metadata(o)["resourceVersion"] = strconv.FormatUint(s.version, 10)
	return s.version
}

// record notes a change, with a new version; the mutex is held.
func (s *Server) record(kind, key string, o Object) {
	version := s.bump(o)
	text, err := json.Marshal(o)
	if err != nil {
		s.t.Error(err)
	}
	s.changes = append(s.changes, change{kind, key, version, text})
	s.announce()
}

func (s *Server) announce() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// Status answers with a Status that is a failure.
func Status(w http.ResponseWriter, code int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":%q,"code":%d}`, message, code)
}

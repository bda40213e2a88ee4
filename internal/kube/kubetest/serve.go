package kubetest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	answers, rules := s.answers, s.rules
	s.mu.Unlock()
	if answers != nil && answers(w, r) {
		return
	}
	s.mu.Lock()
	token := s.token // as it is after that
	s.mu.Unlock()
	resource, name, sub := place(r.URL.Path)
	key := resource + "/" + name
	switch {
	case r.Header.Get("Authorization") != "Bearer "+token:
		Status(w, http.StatusUnauthorized, "Unauthorized")
	case resource == "" || sub != "" && (sub != "scale" || resource == "leases"):
		Status(w, http.StatusNotFound, "the server could not find the requested resource")
	case name == "" && r.Method == http.MethodGet && r.URL.Query().Get("watch") == "true":
		s.watch(w, r, resource, rules)
	case name == "" && r.Method == http.MethodPost:
		s.create(w, r, resource)
	case name == "":
		Status(w, http.StatusMethodNotAllowed, "the server does not allow this method on the requested resource")
	case r.Method == http.MethodGet && sub == "scale":
		s.getScale(w, key)
	case r.Method == http.MethodGet:
		s.get(w, key)
	case r.Method == http.MethodPut && sub == "scale":
		s.updateScale(w, r, key)
	case r.Method == http.MethodPut:
		s.update(w, r, key)
	default:
		Status(w, http.StatusMethodNotAllowed, "the server does not allow this method on the requested resource")
	}
}

// place tells which object a path means, and what below it.
func place(path string) (resource, name, sub string) {
	for resource, prefix := range collections {
		rest, is := strings.CutPrefix(path, prefix)
		if !is || rest != "" && rest[0] != '/' {
			continue
		}
		name, sub, _ = strings.Cut(strings.TrimPrefix(rest, "/"), "/")
		return resource, name, sub
	}
	return "", "", ""
}

func answer(w http.ResponseWriter, code int, object any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(object) // the client may be gone
}

func notFound(w http.ResponseWriter, key string) {
	Status(w, http.StatusNotFound, fmt.Sprintf("%q not found", key))
}

const modified = "the object has been modified; please apply your changes to the latest version and try again"

func (s *Server) get(w http.ResponseWriter, key string) {
	if text := s.JSON(key); text != "" {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, text) // the client may be gone
		return
	}
	notFound(w, key)
}

// decode reads an object that a server would accept.
func decode(w http.ResponseWriter, r *http.Request) (o Object, name, version string) {
	if err := json.NewDecoder(r.Body).Decode(&o); err != nil {
		Status(w, http.StatusBadRequest, err.Error())
		return nil, "", ""
	}
	name, _ = metadata(o)["name"].(string)
	version, _ = metadata(o)["resourceVersion"].(string)
	spec, _ := o["spec"].(Object)
	seconds, given := spec["leaseDurationSeconds"].(float64)
	replicas, _ := spec["replicas"].(float64)
	switch {
	case name == "":
		Status(w, http.StatusUnprocessableEntity, "metadata.name: a name is needed")
	case given && seconds <= 0:
		Status(w, http.StatusUnprocessableEntity, "spec.leaseDurationSeconds: must be greater than 0")
	case replicas < 0:
		Status(w, http.StatusUnprocessableEntity, "spec.replicas: must be greater than or equal to 0")
	default:
		return o, name, version
	}
	return nil, "", ""
}

func (s *Server) create(w http.ResponseWriter, r *http.Request, resource string) {
	o, name, version := decode(w, r)
	if o == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case version != "":
		Status(w, http.StatusBadRequest, "resourceVersion should not be set on objects to be created")
		return
	case s.objects[resource+"/"+name] != nil:
		Status(w, http.StatusConflict, name+" already exists")
		return
	}
	s.put(resource+"/"+name, o)
	answer(w, http.StatusCreated, o)
}

func (s *Server) update(w http.ResponseWriter, r *http.Request, key string) {
	o, name, version := decode(w, r)
	if o == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.objects[key]
	switch {
	case !strings.HasSuffix(key, "/"+name):
		Status(w, http.StatusBadRequest, "the name of the object does not match the name on the URL")
		return
	case version == "":
		Status(w, http.StatusUnprocessableEntity, "metadata.resourceVersion: must be specified for an update")
		return
	case before == nil || metadata(before)["resourceVersion"] != version:
		Status(w, http.StatusConflict, modified)
		return
	}
	s.put(key, o)
	answer(w, http.StatusOK, o)
}

func (s *Server) watch(w http.ResponseWriter, r *http.Request, resource string, rules int) {
	key := resource + "/" + strings.TrimPrefix(r.URL.Query().Get("fieldSelector"), "metadata.name=")
	from, _ := strconv.ParseUint(r.URL.Query().Get("resourceVersion"), 10, 64)
	w.Header().Set("Content-Type", "application/json")
	flush := http.NewResponseController(w).Flush
	_ = flush()    // a client that is gone ends the request
	if from == 0 { // begin with what there is
		s.mu.Lock()
		from = s.version
		s.mu.Unlock()
		if text := s.JSON(key); text != "" {
			fmt.Fprintf(w, `{"type":"ADDED","object":%s}`+"\n", text)
			_ = flush()
		}
	}
	for {
		s.mu.Lock()
		changes, changed, old, ended := s.changes, s.changed, from < s.oldest, s.rules != rules
		s.mu.Unlock()
		if old {
			fmt.Fprint(w, `{"type":"ERROR","object":{"kind":"Status","message":"too old resource version","code":410,"reason":"Expired"}}`+"\n")
			return
		}
		if ended {
			return
		}
		for _, c := range changes {
			if c.version > from && c.key == key {
				fmt.Fprintf(w, `{"type":%q,"object":%s}`+"\n", c.kind, c.object)
			}
			from = max(from, c.version)
		}
		_ = flush()
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		}
	}
}

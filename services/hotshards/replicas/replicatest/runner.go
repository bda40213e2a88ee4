package replicatest

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// A Runner is one of the local fleet.
type Runner struct {
	state
	Socket string
	phase  string
}

// StartRunner starts a runner until the end of the test. Its replicas are ready at once.
func StartRunner(t testing.TB) *Runner {
	t.Helper()
	dir, err := os.MkdirTemp("", "runner") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	r := &Runner{state: state{services: map[string]*service{}}, Socket: filepath.Join(dir, "control.sock"), phase: "ready"}
	ln, err := net.Listen("unix", r.Socket)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/fleet", r.fleet)
	mux.HandleFunc("POST /v1/scale", r.scale)
	server := &http.Server{Handler: mux}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(ln) }) // ends with Close
	t.Cleanup(func() {
		_ = server.Close()
		serving.Wait()
		_ = os.RemoveAll(dir)
	})
	return r
}

// Phase sets the state of the fleet.
func (r *Runner) Phase(phase string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.phase = phase
}

func (r *Runner) fleet(w http.ResponseWriter, _ *http.Request) {
	if r.isBroken() {
		http.Error(w, "told to fail", http.StatusInternalServerError)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	processes := []map[string]any{}
	for name, s := range r.services {
		for n := range s.want {
			one := map[string]any{"name": name, "instance": fmt.Sprintf("%s-%d", name, n+1), "state": "ready"}
			if n >= s.ready {
				one["state"] = "crashed"
			}
			processes = append(processes, one)
		}
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"state": r.phase, "processes": processes}) // the client may be gone
}

func (r *Runner) scale(w http.ResponseWriter, req *http.Request) {
	var command struct {
		Name  string
		Count int
	}
	if err := json.NewDecoder(req.Body).Decode(&command); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	say := func(message map[string]any) {
		_ = json.NewEncoder(w).Encode(message) // the client may be gone
		_ = http.NewResponseController(w).Flush()
	}
	say(map[string]any{"say": "working"})
	r.wait(req.Context().Done())
	want, _ := r.Get(command.Name)
	switch {
	case r.isBroken():
		say(map[string]any{"error": "told to fail"})
	case want == 0:
		say(map[string]any{"error": fmt.Sprintf("there is no service %q", command.Name)})
	case command.Count < 1 || command.Count > 64:
		say(map[string]any{"error": fmt.Sprintf("%d replicas: want 1 to 64", command.Count)})
	default:
		r.Set(command.Name, command.Count, command.Count)
		say(map[string]any{"done": true})
	}
}

package rig

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// A Scaler starts and stops replicas of services as the runner of the local fleet does, and is told to over a control
// socket that speaks as the runner's: GET /v1/fleet, POST /v1/scale. It is for fleets that an experiment makes itself.
type Scaler struct {
	Socket string

	rig  *Rig
	turn sync.Mutex // one scaling at a time

	mu       sync.Mutex // guards services, and the members of each
	services map[string]*scaled
}

// scaled is a service, and how a replica of it is started.
type scaled struct {
	start   func(ctx context.Context, instance string) (*Proc, error)
	members []*Proc
	most    int // replicas that there ever were, for names
}

// NewScaler opens a control socket.
func (g *Rig) NewScaler() (*Scaler, error) {
	dir, err := os.MkdirTemp("", "scaler") // a socket's path must be short
	if err != nil {
		return nil, fmt.Errorf("scaler: %w", err)
	}
	s := &Scaler{Socket: filepath.Join(dir, "control.sock"), rig: g, services: map[string]*scaled{}}
	ln, err := net.Listen("unix", s.Socket)
	if err != nil {
		return nil, fmt.Errorf("scaler: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/fleet", s.fleet)
	mux.HandleFunc("POST /v1/scale", s.scale)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(ln) // ends by Close
	}()
	g.Defer(func() {
		_ = server.Close()
		<-done
		_ = os.RemoveAll(dir)
	})
	return s, nil
}

// Add starts a service of n replicas and returns its address for a pool, an endpoint file.
func (s *Scaler) Add(ctx context.Context, name string, n int, start func(ctx context.Context, instance string) (*Proc, error)) (string, error) {
	s.mu.Lock()
	s.services[name] = &scaled{start: start}
	s.mu.Unlock()
	if err := s.Scale(ctx, name, n); err != nil {
		return "", err
	}
	return s.publish(name)
}

// Members are the replicas of a service.
func (s *Scaler) Members(name string) []*Proc {
	s.mu.Lock()
	defer s.mu.Unlock()
	if one := s.services[name]; one != nil {
		return slices.Clone(one.members)
	}
	return nil
}

func (s *Scaler) publish(name string) (string, error) {
	return s.rig.Endpoints(name, s.Members(name)...)
}

// Scale brings a service to n replicas. A new one is published when it is ready; one that goes is taken back
// first, and then told to end.
func (s *Scaler) Scale(ctx context.Context, name string, n int) error {
	s.turn.Lock()
	defer s.turn.Unlock()
	s.mu.Lock()
	one := s.services[name]
	s.mu.Unlock()
	if one == nil || n < 1 {
		return fmt.Errorf("scale %s to %d: there is no such service, or no such number", name, n)
	}
	for have := len(s.Members(name)); have != n; have = len(s.Members(name)) {
		if err := s.step(ctx, name, one, have < n); err != nil {
			return fmt.Errorf("scale %s: %w", name, err)
		}
	}
	return nil
}

func (s *Scaler) step(ctx context.Context, name string, one *scaled, more bool) error {
	if more {
		one.most++
		p, err := one.start(ctx, fmt.Sprintf("%s-%d", name, one.most))
		if err != nil {
			return err
		}
		s.mu.Lock()
		one.members = append(one.members, p)
		s.mu.Unlock()
		_, err = s.publish(name)
		return err
	}
	s.mu.Lock()
	last := one.members[len(one.members)-1]
	one.members = one.members[:len(one.members)-1]
	s.mu.Unlock()
	if _, err := s.publish(name); err != nil {
		return err
	}
	return last.Stop(ctx)
}

func (s *Scaler) fleet(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	processes := []map[string]any{}
	for name, one := range s.services {
		for _, p := range one.members {
			state := "ready"
			if p.Ended() {
				state = "crashed"
			}
			processes = append(processes, map[string]any{"name": name, "instance": p.Spec.Name, "state": state, "data": p.Data, "admin": p.Admin})
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"state": "ready", "processes": processes}) // the client may be gone
}

func (s *Scaler) scale(w http.ResponseWriter, r *http.Request) {
	var command struct {
		Name  string
		Count int
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4<<10)).Decode(&command); err != nil {
		http.Error(w, "the body is no request", http.StatusBadRequest)
		return
	}
	answer := map[string]any{"done": true}
	// Half a change helps nobody: it is finished, whoever waits.
	if err := s.Scale(context.WithoutCancel(r.Context()), command.Name, command.Count); err != nil {
		answer = map[string]any{"error": err.Error()}
	}
	_ = json.NewEncoder(w).Encode(answer) // the client may be gone
}

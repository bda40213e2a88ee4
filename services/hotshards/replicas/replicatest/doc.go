// Package replicatest has orchestrators for tests: as much of the runner of the local fleet as scaling needs, and
// a Kubernetes API server. Both listen on real sockets, and both can be made to fail.
package replicatest

import "sync"

// state is the replicas of services.
type state struct {
	mu       sync.Mutex // guards all below
	services map[string]*service
	broken   bool
	held     chan struct{} // while it is open, changes wait for it; nil: they do not
}

type service struct{ want, ready int }

// Set says how many replicas of a service there are.
func (s *state) Set(name string, want, ready int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.services[name]
	if one == nil {
		one = &service{}
		s.services[name] = one
	}
	one.want, one.ready = want, ready
}

// Get tells how many replicas of a service there are.
func (s *state) Get(name string) (want, ready int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if one := s.services[name]; one != nil {
		return one.want, one.ready
	}
	return 0, 0
}

// Break makes every answer an error, until it is called with false.
func (s *state) Break(is bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = is
}

// Hold makes changes wait until the returned function is called.
func (s *state) Hold() (release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	held := make(chan struct{})
	s.held = held
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.held = nil
		close(held)
	})
}

func (s *state) isBroken() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.broken
}

// wait waits while changes are held, or until stop.
func (s *state) wait(stop <-chan struct{}) {
	s.mu.Lock()
	held := s.held
	s.mu.Unlock()
	if held == nil {
		return
	}
	select {
	case <-held:
	case <-stop:
	}
}

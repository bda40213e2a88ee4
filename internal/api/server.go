package api

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// graceful is an HTTP/1.1 server for handlers that answer within a bounded time.
//
// Its Shutdown keeps a promise that the one of http.Server does not: a request
// on a connection that was accepted before is answered. http.Server closes such
// a connection when the request arrives after Shutdown has begun.
type graceful struct {
	http.Server

	mu      sync.Mutex // guards all below
	ln      net.Listener
	open    map[net.Conn]http.ConnState // connections that a request may be on
	closing bool
	changed chan struct{} // closed and replaced when open changes
}

// silence is how long an accepted connection may keep Shutdown waiting for its
// first request.
const silence = time.Second

// Server returns the HTTP/1.1 server of an API. Its time-outs bound what a slow
// or silent client can hold, and its Shutdown loses no request on a connection
// that was accepted.
func Server(h http.Handler) interface {
	Serve(net.Listener) error
	Shutdown(context.Context) error
	Close() error
} {
	s := &graceful{open: map[net.Conn]http.ConnState{}, changed: make(chan struct{})}
	s.Server = http.Server{
		Handler:           s.last(h),
		ConnState:         s.note,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
	}
	return s
}

// last tells clients of a closing server that this was their last answer here.
func (s *graceful) last(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		closing := s.closing
		s.mu.Unlock()
		if closing {
			w.Header().Set("Connection", "close")
		}
		h.ServeHTTP(w, r)
	})
}

func (s *graceful) note(c net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch state {
	case http.StateNew, http.StateActive:
		s.open[c] = state
	default:
		delete(s.open, c)
	}
	close(s.changed)
	s.changed = make(chan struct{})
}

// Serve accepts connections on ln until Shutdown.
func (s *graceful) Serve(ln net.Listener) error {
	s.mu.Lock()
	s.ln = ln
	s.mu.Unlock()
	return s.Server.Serve(ln)
}

// Shutdown stops accepting, waits for what was accepted, and ends the server.
func (s *graceful) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.closing = true
	ln := s.ln
	s.mu.Unlock()
	if ln != nil {
		_ = ln.Close() // at worst it was closed already
	}
	silent := time.NewTimer(silence)
	defer silent.Stop()
	patient := true
	for {
		waiting, changed := s.busy(patient)
		if !waiting {
			s.hangUp()
			return s.Server.Shutdown(ctx)
		}
		select {
		case <-changed:
		case <-silent.C:
			patient = false
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// busy tells whether a request is under way, or, to a patient caller, whether
// one may still come on a new connection.
func (s *graceful) busy(patient bool) (bool, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, state := range s.open {
		if state == http.StateActive || patient {
			return true, s.changed
		}
	}
	return false, s.changed
}

// hangUp closes connections that have sent nothing: http.Server would wait
// seconds for them.
func (s *graceful) hangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c, state := range s.open {
		if state == http.StateNew {
			_ = c.Close()
		}
	}
}

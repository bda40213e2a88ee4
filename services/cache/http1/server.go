package http1

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Handler answers one request. It must write exactly one final response to the connection.
type Handler interface {
	ServeHTTP1(*Conn)
}

// Server serves connections. Set the fields before Serve; the zero limits mean the defaults.
type Server struct {
	Handler Handler
	Log     *slog.Logger
	// Idle, Head and Stall are the time limits of the package comment: 60s, 10s and 30s by default.
	Idle, Head, Stall time.Duration
	// MaxConns bounds the open connections; 0 is 8192. One more is closed at once, which the caller sees
	// as a connection error and can try elsewhere.
	MaxConns int
	// Conns, Refused and BadRequests, if set, are counted for the owner's metrics.
	Conns               func(delta int)
	Refused, BadRequest func()

	mu        sync.Mutex // guards the rest
	listeners map[net.Listener]struct{}
	conns     map[*Conn]struct{}
	draining  atomic.Bool
	done      chan struct{} // closed when draining and the last connection has gone
}

// errClosed ends a connection or a Serve in the regular way.
var errClosed = errors.New("server closed")

// Serve accepts connections until Shutdown, then returns nil.
func (s *Server) Serve(ln net.Listener) error {
	if err := s.track(ln); err != nil {
		return nil
	}
	for {
		c, err := ln.Accept()
		if err != nil {
			if s.draining.Load() {
				return nil
			}
			if passing(err) {
				time.Sleep(10 * time.Millisecond) // out of descriptors: let some connections end
				continue
			}
			return err
		}
		s.start(c)
	}
}

// passing reports accept errors that go away by themselves.
func passing(err error) bool {
	var ne interface{ Temporary() bool }
	return errors.As(err, &ne) && ne.Temporary()
}

func (s *Server) track(ln net.Listener) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining.Load() {
		return errClosed
	}
	if s.listeners == nil {
		s.listeners = map[net.Listener]struct{}{}
		s.conns = map[*Conn]struct{}{}
		s.done = make(chan struct{})
		s.Idle, s.Head, s.Stall = or(s.Idle, time.Minute), or(s.Head, 10*time.Second), or(s.Stall, 30*time.Second)
		if s.MaxConns == 0 {
			s.MaxConns = 8192
		}
	}
	s.listeners[ln] = struct{}{}
	return nil
}

func or(d, def time.Duration) time.Duration {
	if d == 0 {
		return def
	}
	return d
}

// start begins to serve a connection in its own goroutine.
func (s *Server) start(raw net.Conn) {
	c := newConn(s, raw)
	s.mu.Lock()
	full := len(s.conns) >= s.MaxConns
	if !full && !s.draining.Load() {
		s.conns[c] = struct{}{}
		s.mu.Unlock()
		if s.Conns != nil {
			s.Conns(1)
		}
		go c.serve()
		return
	}
	s.mu.Unlock()
	if full && s.Refused != nil {
		s.Refused()
	}
	raw.Close()
}

func (s *Server) forget(c *Conn) {
	s.mu.Lock()
	delete(s.conns, c)
	last := len(s.conns) == 0 && s.draining.Load()
	s.mu.Unlock()
	if s.Conns != nil {
		s.Conns(-1)
	}
	if last {
		s.closeDone()
	}
}

func (s *Server) closeDone() {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.done:
	default:
		close(s.done)
	}
}

// Shutdown closes the listeners and idle connections, lets requests in flight finish, and returns when the
// last has, or with the error of ctx.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.draining.Store(true)
	for ln := range s.listeners {
		ln.Close()
	}
	for c := range s.conns {
		c.wakeIfIdle()
	}
	none := len(s.conns) == 0
	done := s.done
	s.mu.Unlock()
	if none {
		return nil
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close ends everything at once.
func (s *Server) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.draining.Store(true)
	for ln := range s.listeners {
		ln.Close()
	}
	for c := range s.conns {
		c.raw.Close()
	}
	return nil
}

package tcpserve

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Server accepts connections and gives each to Handle, in a goroutine of its own.
type Server struct {
	// Handle serves one connection and returns when it is over; the server closes
	// the connection then. ctx ends when the server is asked to stop.
	Handle func(ctx context.Context, conn net.Conn)

	// MaxConns bounds the connections served at a time, over all listeners; 0
	// means no bound.
	MaxConns int

	// Refuse, if set, may say a last word to a connection over the limit. It has
	// RefuseTimeout for it.
	Refuse func(conn net.Conn)

	// Log is told of trouble in accepting; nil means nobody is.
	Log *slog.Logger

	mu        sync.Mutex // guards the next five
	stopping  bool
	listeners map[net.Listener]bool
	conns     map[net.Conn]context.CancelFunc
	refusing  int
	stopped   chan struct{} // closed when stopping begins; made by the first Serve

	active           sync.WaitGroup // connections, refused ones too
	open             atomic.Int64 // connections being served
	accepted, denied atomic.Uint64
}

// RefuseTimeout bounds Refuse; maxRefusing is for how many connections at a time
// it is called. More of them are closed without a word.
const (
	RefuseTimeout = 100 * time.Millisecond
	maxRefusing   = 64
)

// Serve accepts connections until Shutdown or Close, and then returns
// net.ErrClosed. It may be called for several listeners.
func (s *Server) Serve(ln net.Listener) error {
	if !s.add(ln) {
		_ = ln.Close()
		return net.ErrClosed
	}
	var pause time.Duration
	for {
		conn, err := ln.Accept()
		if err == nil {
			pause = 0
			s.serve(conn)
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			return err
		}
		// Out of file descriptors, or a client that left the queue: the next one
		// may succeed.
		pause = min(max(2*pause, 5*time.Millisecond), time.Second)
		s.complain(err, pause)
		select {
		case <-s.stopped:
		case <-time.After(pause):
		}
	}
}

func (s *Server) complain(err error, pause time.Duration) {
	if s.Log != nil {
		s.Log.Warn("no connection could be accepted", "error", err, "retry_in", pause.String())
	}
}

// add remembers a listener for Shutdown, unless that was called before.
func (s *Server) add(ln net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return false
	}
	if s.listeners == nil {
		s.listeners = map[net.Listener]bool{}
		s.conns = map[net.Conn]context.CancelFunc{}
		s.stopped = make(chan struct{})
	}
	s.listeners[ln] = true
	return true
}

func (s *Server) serve(conn net.Conn) {
	ctx, ok := s.admit(conn)
	if !ok {
		return
	}
	go func() {
		defer s.leave(conn)
		s.Handle(ctx, conn)
	}()
}

// admit counts a connection, or refuses it.
func (s *Server) admit(conn net.Conn) (context.Context, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		_ = conn.Close()
		return nil, false
	}
	if s.MaxConns > 0 && len(s.conns) >= s.MaxConns {
		s.denied.Add(1)
		s.refuse(conn)
		return nil, false
	}
	s.active.Add(1)
	ctx, cancel := context.WithCancel(context.Background())
	s.conns[conn] = cancel
	s.open.Add(1)
	s.accepted.Add(1)
	return ctx, true
}

// refuse is called with mu held.
func (s *Server) refuse(conn net.Conn) {
	if s.Refuse == nil || s.refusing == maxRefusing {
		_ = conn.Close()
		return
	}
	s.refusing++
	s.active.Go(func() {
		_ = conn.SetDeadline(time.Now().Add(RefuseTimeout))
		s.Refuse(conn)
		_ = conn.Close()
		s.mu.Lock()
		s.refusing--
		s.mu.Unlock()
	})
}

func (s *Server) leave(conn net.Conn) {
	_ = conn.Close()
	s.mu.Lock()
	s.conns[conn]()
	delete(s.conns, conn)
	s.mu.Unlock()
	s.open.Add(-1)
	s.active.Done()
}

// Shutdown stops accepting, asks every Handle to finish, and waits for them
// until ctx ends.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stop(func(_ net.Conn, cancel context.CancelFunc) { cancel() })
	done := make(chan struct{})
	go func() {
		s.active.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close stops accepting and cuts all connections off. It returns when every
// Handle has.
func (s *Server) Close() error {
	s.stop(func(conn net.Conn, cancel context.CancelFunc) {
		cancel()
		_ = conn.Close()
	})
	s.active.Wait()
	return nil
}

func (s *Server) stop(each func(net.Conn, context.CancelFunc)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.stopping && s.stopped != nil {
		close(s.stopped)
	}
	s.stopping = true
	for ln := range s.listeners {
		_ = ln.Close()
	}
	for conn, cancel := range s.conns {
		each(conn, cancel)
	}
}

// Open is how many connections are being served.
func (s *Server) Open() int { return int(s.open.Load()) }

// Accepted is how many connections were served so far.
func (s *Server) Accepted() uint64 { return s.accepted.Load() }

// Refused is how many connections were over the limit so far.
func (s *Server) Refused() uint64 { return s.denied.Load() }

package front

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/flotilla-dev/flotilla/internal/guard"
)

// A Server accepts connections, seats each of them (package guard) and has it served. It
// is a process.Server. Set the first fields, then call Serve.
type Server struct {
	Guard *guard.Guard
	Log   *slog.Logger
	// Handle serves a connection in a goroutine of its own. secure is not nil where the
	// listener speaks TLS; its handshake is still to be made. Who returns while the
	// connection is open has given it to somebody who closes it: Shutdown waits for that.
	Handle func(c *Seated, secure *tls.Conn)
	// Closing is called when a shutdown begins: from here on answers have to ask clients
	// to leave. nil: nobody is told.
	Closing func()
	// Hold waits before the first connection is accepted, see HoldOff; nil: at once.
	Hold func()

	mu        sync.Mutex // guards all below
	listener  net.Listener
	accepting chan struct{} // closed when no connection is accepted any more; nil: none ever was
	conns     map[*Seated]struct{}
	down      bool // no connection is served any more but those in conns
	serving   sync.WaitGroup
}

// Serve accepts connections until Shutdown.
func (s *Server) Serve(ln net.Listener) error {
	s.mu.Lock()
	s.listener = ln
	if s.down {
		s.mu.Unlock()
		return errors.Join(http.ErrServerClosed, ln.Close())
	}
	s.accepting = make(chan struct{})
	defer close(s.accepting)
	s.mu.Unlock()
	if s.Hold != nil {
		s.Hold()
	}
	var pause time.Duration
	for {
		accepted, err := ln.Accept()
		if err == nil {
			pause = 0
			s.admit(accepted)
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			return http.ErrServerClosed
		}
		// Out of descriptors, most likely: connections that end will free some.
		pause = min(max(2*pause, 5*time.Millisecond), time.Second)
		s.Log.Warn("connection not accepted", "error", err, "pause", pause.String())
		time.Sleep(pause)
	}
}

// admit seats a connection and begins to serve it.
func (s *Server) admit(accepted net.Conn) {
	tcp, secure := accepted, (*tls.Conn)(nil)
	if t, ok := accepted.(*tls.Conn); ok {
		tcp, secure = t.NetConn(), t
	}
	c := &Seated{Conn: tcp, Addr: Remote(tcp.RemoteAddr()), server: s}
	// The guard may close the connection before it is told of its seat.
	if c.seat = s.Guard.Admit(c.Addr, func() { tcp.Close() }); c.seat == nil {
		tcp.Close()
		return
	}
	if !s.take(c) {
		c.seat.Leave()
		tcp.Close()
		return
	}
	go func() {
		defer s.serving.Done()
		s.Handle(c, secure)
	}()
}

// take counts a connection among those that are served, unless none is any more.
func (s *Server) take(c *Seated) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return false
	}
	if s.conns == nil {
		s.conns = map[*Seated]struct{}{}
	}
	s.conns[c] = struct{}{}
	s.serving.Add(1)
	return true
}

// lingerIdle is how long a connection must have been idle before a shutdown closes it: a
// client that sends request after request gets an answer that asks it to leave, instead of
// a closed connection under its request.
const lingerIdle = time.Second

// Shutdown stops accepting, asks clients to leave, and waits for requests in progress until
// ctx ends.
func (s *Server) Shutdown(ctx context.Context) error {
	s.StopAdmitting(ctx)
	err := s.Drain(ctx)
	return errors.Join(err, s.Close())
}

// StopAccepting closes the listener only, as the first step of a drain.
func (s *Server) StopAccepting() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener != nil {
		_ = s.listener.Close() // a second close is no harm
	}
}

// StopAdmitting begins a shutdown: it closes the listener. A connection that was accepted
// a moment before is served all the same: it is nobody else's, even where others share
// the listener.
func (s *Server) StopAdmitting(ctx context.Context) {
	if s.Closing != nil {
		s.Closing()
	}
	s.mu.Lock()
	accepting := s.accepting
	if accepting == nil {
		s.down = true // Serve will find it
		s.mu.Unlock()
		return
	}
	_ = s.listener.Close() // closed twice when the drain began with it
	s.mu.Unlock()
	select {
	case <-accepting:
	case <-ctx.Done():
	}
	s.mu.Lock()
	s.down = true
	s.mu.Unlock()
}

// Drain waits until all connections are closed, closing idle ones itself.
func (s *Server) Drain(ctx context.Context) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		left := s.closeIdle()
		if left == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d connections were open at the deadline: %w", left, ctx.Err())
		case <-tick.C:
		}
	}
}

func (s *Server) closeIdle() (left int) {
	s.mu.Lock()
	var idle []*Seated
	for c := range s.conns {
		left++
		if c.seat.IdleFor() > lingerIdle {
			idle = append(idle, c)
		}
	}
	s.mu.Unlock()
	for _, c := range idle {
		c.Close()
	}
	return left
}

// Close closes everything at once and waits for the goroutines.
func (s *Server) Close() error {
	s.mu.Lock()
	conns := make([]*Seated, 0, len(s.conns))
	for c := range s.conns {
		conns = append(conns, c)
	}
	s.mu.Unlock()
	for _, c := range conns {
		c.Close()
	}
	s.serving.Wait()
	return nil
}

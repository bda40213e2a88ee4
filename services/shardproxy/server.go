package shardproxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/flotilla-dev/flotilla/internal/guard"
)

// A server accepts connections and serves them. It is a process.Server.
type server struct {
	*proxy

	mu        sync.Mutex // guards all below
	listener  net.Listener
	accepting chan struct{} // closed when no connection is accepted any more; nil: none ever was
	conns     map[*seatedConn]struct{}
	down      bool // no connection is served any more but those in conns
	serving   sync.WaitGroup
}

func newServer(p *proxy) *server {
	return &server{proxy: p, conns: map[*seatedConn]struct{}{}}
}

// A seatedConn is a client's TCP connection and its seat.
type seatedConn struct {
	net.Conn
	server *server
	addr   netip.Addr
	seat   *guard.Seat
	closed sync.Once
}

// Close gives the seat back, too.
func (s *seatedConn) Close() error {
	err := net.ErrClosed
	s.closed.Do(func() {
		err = s.Conn.Close()
		s.seat.Leave()
		s.server.mu.Lock()
		delete(s.server.conns, s)
		s.server.mu.Unlock()
	})
	return err
}

// CloseWrite ends our direction of the connection.
func (s *seatedConn) CloseWrite() error {
	if tcp, ok := s.Conn.(*net.TCPConn); ok {
		return tcp.CloseWrite()
	}
	return errors.ErrUnsupported
}

// Serve accepts connections until Shutdown.
func (s *server) Serve(ln net.Listener) error {
	s.mu.Lock()
	s.listener = ln
	if s.down {
		s.mu.Unlock()
		return errors.Join(http.ErrServerClosed, ln.Close())
	}
	s.accepting = make(chan struct{})
	defer close(s.accepting)
	s.mu.Unlock()
	var pause time.Duration
	for {
		c, err := ln.Accept()
		if err == nil {
			pause = 0
			s.admit(c)
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			return http.ErrServerClosed
		}
		// Out of descriptors, most likely: connections that end will free some.
		pause = min(max(2*pause, 5*time.Millisecond), time.Second)
		s.log.Warn("connection not accepted", "error", err, "pause", pause.String())
		time.Sleep(pause)
	}
}

// admit seats a connection and begins to serve it.
func (s *server) admit(accepted net.Conn) {
	tcp, secure := accepted, (*tls.Conn)(nil)
	if t, ok := accepted.(*tls.Conn); ok {
		tcp, secure = t.NetConn(), t
	}
	c := &seatedConn{Conn: tcp, server: s, addr: remote(tcp.RemoteAddr())}
	// The guard may close the connection before it is told of its seat.
	seat := s.guard.Admit(c.addr, func() { tcp.Close() })
	if seat == nil {
		tcp.Close()
		return
	}
	c.seat = seat
	s.mu.Lock()
	if s.down {
		s.mu.Unlock()
		seat.Leave()
		tcp.Close()
		return
	}
	s.conns[c] = struct{}{}
	s.serving.Add(1)
	s.mu.Unlock()
	go func() {
		defer s.serving.Done()
		defer c.Close()
		s.serve(c, secure)
	}()
}

func (s *server) serve(c *seatedConn, secure *tls.Conn) {
	if secure == nil {
		newConn(s.proxy, c, nil).serve()
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.HeaderTimeout)
	err := secure.HandshakeContext(ctx)
	cancel()
	if err != nil {
		s.log.Debug("handshake failed", "client", c.addr.String(), "error", err)
		return
	}
	newConn(s.proxy, c, secure).serve()
}

func remote(a net.Addr) netip.Addr {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}

// lingerIdle is how long a connection must have been idle before a shutdown closes it: a
// client that sends request after request gets an answer that asks it to leave, instead of
// a closed connection under its request.
const lingerIdle = time.Second

// Shutdown stops accepting, asks clients to leave, and waits for requests in progress until
// ctx ends.
func (s *server) Shutdown(ctx context.Context) error {
	s.closing.Store(true)
	s.stopAdmitting(ctx)
	err := s.drain(ctx)
	s.Close()
	return err
}

// stopAdmitting closes the listener. A connection that was accepted a moment before is
// served all the same: it is nobody else's, even where others share the listener.
func (s *server) stopAdmitting(ctx context.Context) {
	s.mu.Lock()
	accepting := s.accepting
	if accepting == nil {
		s.down = true // Serve will find it
		s.mu.Unlock()
		return
	}
	_ = s.listener.Close() // a second close is no harm
	s.mu.Unlock()
	select {
	case <-accepting:
	case <-ctx.Done():
	}
	s.mu.Lock()
	s.down = true
	s.mu.Unlock()
}

// drain waits until all connections are closed, closing idle ones itself.
func (s *server) drain(ctx context.Context) error {
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

func (s *server) closeIdle() (left int) {
	s.mu.Lock()
	var idle []*seatedConn
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
func (s *server) Close() error {
	s.mu.Lock()
	conns := make([]*seatedConn, 0, len(s.conns))
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

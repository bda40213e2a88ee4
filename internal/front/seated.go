package front

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"

	"github.com/flotilla-dev/flotilla/internal/guard"
)

// A Seated is a client's TCP connection and its seat.
type Seated struct {
	net.Conn
	Addr netip.Addr // of the client

	server  *Server
	seat    *guard.Seat
	closed  sync.Once
	through io.WriteCloser // nil: Conn itself; set with server.mu held
}

// Enter tells the guard what the connection does from now on.
func (s *Seated) Enter(state guard.State) { s.seat.Enter(state) }

// Through has bytes written, and the connection closed, by w from now on. Only who writes
// to the connection may say so.
func (s *Seated) Through(w io.WriteCloser) {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.through = w
}

// Write sends bytes.
func (s *Seated) Write(p []byte) (int, error) {
	if s.through != nil {
		return s.through.Write(p)
	}
	return s.Conn.Write(p)
}

// Close gives the seat back, too.
func (s *Seated) Close() error {
	err := net.ErrClosed
	s.closed.Do(func() {
		s.server.mu.Lock()
		var c io.Closer = s.Conn
		if s.through != nil {
			c = s.through
		}
		s.server.mu.Unlock()
		err = c.Close()
		s.seat.Leave()
		s.server.mu.Lock()
		delete(s.server.conns, s)
		s.server.mu.Unlock()
	})
	return err
}

// CloseWrite ends our direction of the connection.
func (s *Seated) CloseWrite() error {
	if tcp, ok := s.Conn.(*net.TCPConn); ok {
		return tcp.CloseWrite()
	}
	return errors.ErrUnsupported
}

// Remote is the address of a peer over TCP or UDP, IPv4 as such and without a zone.
func Remote(a net.Addr) netip.Addr {
	var addr netip.Addr
	switch a := a.(type) {
	case *net.TCPAddr:
		addr = a.AddrPort().Addr()
	case *net.UDPAddr:
		addr = a.AddrPort().Addr()
	}
	return addr.Unmap().WithZone("")
}

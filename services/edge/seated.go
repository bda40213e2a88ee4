package edge

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"sync"

	"github.com/flotilla-dev/flotilla/internal/guard"
)

// A seatedConn is a client's TCP connection and its seat.
type seatedConn struct {
	net.Conn
	server *server
	seat   *guard.Seat
	cork   *cork // of HTTP/2
	closed sync.Once
}

// Write sends bytes, or has them sent soon.
func (s *seatedConn) Write(p []byte) (int, error) {
	if s.cork != nil {
		return s.cork.Write(p)
	}
	return s.Conn.Write(p)
}

// Close gives the seat back, too.
func (s *seatedConn) Close() error {
	err := net.ErrClosed
	s.closed.Do(func() {
		if s.cork != nil {
			err = s.cork.Close()
		} else {
			err = s.Conn.Close()
		}
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

// seatState tells the seat of an HTTP/2 connection what that does.
func seatState(c net.Conn, state http.ConnState) {
	secure, ok := c.(*tls.Conn)
	if !ok {
		return
	}
	seated, ok := secure.NetConn().(*seatedConn)
	if !ok {
		return
	}
	switch state {
	case http.StateActive:
		seated.seat.Enter(guard.Busy)
	case http.StateIdle:
		seated.seat.Enter(guard.Idle)
	}
}

func remote(a net.Addr) netip.Addr {
	switch a := a.(type) {
	case *net.TCPAddr:
		return a.AddrPort().Addr()
	case *net.UDPAddr:
		return a.AddrPort().Addr()
	}
	return netip.Addr{}
}

// A handover is the listener of the HTTP/2 server: it accepts connections whose
// handshake is over.
type handover struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newHandover() *handover {
	return &handover{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (h *handover) give(c net.Conn) {
	select {
	case h.conns <- c:
	case <-h.closed:
		c.Close()
	}
}

// Accept returns the next connection.
func (h *handover) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

// Close ends Accept.
func (h *handover) Close() error {
	h.once.Do(func() { close(h.closed) })
	return nil
}

// Addr is of no interest.
func (h *handover) Addr() net.Addr { return &net.TCPAddr{} }

package edge

import (
	"crypto/tls"
	"net"
	"net/http"
	"sync"

	"github.com/flotilla-dev/flotilla/internal/front"
	"github.com/flotilla-dev/flotilla/internal/guard"
)

// seatState tells the seat of an HTTP/2 connection what that does.
func seatState(c net.Conn, state http.ConnState) {
	secure, ok := c.(*tls.Conn)
	if !ok {
		return
	}
	seated, ok := secure.NetConn().(*front.Seated)
	if !ok {
		return
	}
	switch state {
	case http.StateActive:
		seated.Enter(guard.Busy)
	case http.StateIdle:
		seated.Enter(guard.Idle)
	}
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

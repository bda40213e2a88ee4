package hop

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/flotilla-dev/flotilla/internal/h1"
)

// readBuffer is the size of a connection's buffer: the head and the body of
// most answers arrive by one read.
const readBuffer = 16 << 10

// A replica keeps the unused connections to one endpoint.
type replica struct {
	addr    string
	options *Options
	tls     *tls.Config

	mu   sync.Mutex // guards all below
	idle []*conn    // the one used last is at the end and is used first
	gone bool
}

// A conn is a connection to a replica. It belongs to one exchange at a time.
type conn struct {
	net.Conn
	raw    syscall.RawConn
	reader *h1.Reader
	used   bool      // it has carried an exchange before
	timed  bool      // a write deadline is set
	since  time.Time // when it became idle
}

// take returns an unused connection, or nil.
func (r *replica) take() *conn {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(r.idle)
	if n == 0 {
		return nil
	}
	c := r.idle[n-1]
	r.idle[n-1] = nil
	r.idle = r.idle[:n-1]
	return c
}

// give keeps a connection for the next exchange.
func (r *replica) give(c *conn) {
	c.used, c.since = true, time.Now()
	if c.timed {
		c.timed = false
		_ = c.SetWriteDeadline(time.Time{}) // fails only on a closed connection, which the next use finds out
	}
	r.mu.Lock()
	if !r.gone && len(r.idle) < r.options.MaxIdle {
		r.idle = append(r.idle, c)
		c = nil
	}
	r.mu.Unlock()
	if c != nil {
		c.Close()
	}
}

// expire closes connections that are unused since before then. The idle ones
// are sorted by time, because they are used last in, first out.
func (r *replica) expire(then time.Time) {
	r.mu.Lock()
	n := 0
	for n < len(r.idle) && r.idle[n].since.Before(then) {
		n++
	}
	old := append([]*conn(nil), r.idle[:n]...)
	r.idle = append(r.idle[:0], r.idle[n:]...)
	r.mu.Unlock()
	for _, c := range old {
		c.Close()
	}
}

// shut closes the idle connections, and from then on all that come back.
func (r *replica) shut() {
	r.mu.Lock()
	idle := r.idle
	r.idle, r.gone = nil, true
	r.mu.Unlock()
	for _, c := range idle {
		c.Close()
	}
}

// limitWrites sets the time until which writes must have ended.
func (c *conn) limitWrites(idle time.Duration) error {
	c.timed = true
	return c.SetWriteDeadline(time.Now().Add(idle))
}

func (r *replica) dial() (*conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), r.options.Connect)
	defer cancel()
	var dialer net.Dialer
	tcp, err := dialer.DialContext(ctx, "tcp", r.addr)
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: tcp}
	if sc, ok := tcp.(syscall.Conn); ok {
		c.raw, _ = sc.SyscallConn()
	}
	if r.tls != nil {
		secure := tls.Client(tcp, r.tls)
		if err := secure.HandshakeContext(ctx); err != nil {
			tcp.Close()
			return nil, fmt.Errorf("TLS handshake with %s: %w", r.addr, err)
		}
		c.Conn = secure
	}
	c.reader = h1.NewReader(c.Conn, readBuffer)
	return c, nil
}

// stale tells whether an idle connection is closed, or has bytes that nobody
// asked for. It costs a system call, so it is asked only before a request that
// could not be sent twice.
func (c *conn) stale() bool {
	if c.reader.Buffered() > 0 {
		return true
	}
	if c.raw == nil {
		return false
	}
	var n int
	var err error
	var one [1]byte
	failed := c.raw.Read(func(fd uintptr) bool {
		n, _, err = syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		return true
	})
	quiet := n <= 0 && (err == syscall.EAGAIN || err == syscall.EWOULDBLOCK)
	return failed != nil || !quiet
}

package http1

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/flotilla-dev/flotilla/internal/h1"
	"github.com/flotilla-dev/flotilla/internal/problem"
)

// Conn is one client connection, and the exchange that is under way on it.
type Conn struct {
	// Request is the one to answer.
	Request Request
	// Data is the handler's own, kept for the life of the connection.
	Data any

	server *Server
	raw    net.Conn
	reader *h1.Reader
	head   h1.Request // Request is a view of it
	body   *body      // nil: none
	idle   atomic.Bool

	readDeadline, writeDeadline time.Time // as last set; zero: none

	response response
}

func newConn(s *Server, raw net.Conn) *Conn {
	return &Conn{server: s, raw: raw, reader: h1.NewReader(raw, 0)}
}

// RemoteAddr is the peer's address.
func (c *Conn) RemoteAddr() net.Addr { return c.raw.RemoteAddr() }

// serve answers requests until one side has enough.
func (c *Conn) serve() {
	defer c.server.forget(c)
	defer c.raw.Close()
	defer func() {
		if p := recover(); p != nil {
			c.server.Log.Error("request handler panicked", "panic", p)
		}
	}()
	for {
		if err := c.next(); err != nil {
			c.refuse(err)
			return
		}
		c.response = response{iov: c.response.iov, buf: c.response.buf}
		c.server.Handler.ServeHTTP1(c)
		if err := c.settle(); err != nil {
			return
		}
	}
}

// next reads the head of the next request.
func (c *Conn) next() error {
	if err := c.await(); err != nil {
		return err
	}
	if err := c.reader.ReadRequest(&c.head, MaxHead); err != nil {
		return err
	}
	if string(c.head.Method) == http.MethodConnect {
		return errConnect
	}
	c.Request.view(&c.head)
	c.body = nil
	if c.head.HasBody() {
		c.body = newBody(c)
	}
	return nil
}

// await waits for a request to begin. The time limit of its head is set only when the head did not come in
// one piece.
func (c *Conn) await() error {
	c.idle.Store(true)
	if c.server.draining.Load() {
		return errClosed
	}
	if err := c.readBy(c.server.Idle); err != nil {
		return err
	}
	if err := c.reader.Wait(nil); err != nil {
		return err
	}
	c.idle.Store(false)
	if c.reader.HasHead() {
		return nil
	}
	c.readDeadline = time.Now().Add(c.server.Head)
	return c.raw.SetReadDeadline(c.readDeadline)
}

// readBy sets the read deadline. It is moved at most once a second: a clock call is cheaper than a timer.
func (c *Conn) readBy(limit time.Duration) error {
	return moveDeadline(&c.readDeadline, limit, c.raw.SetReadDeadline)
}

func (c *Conn) writeBy(limit time.Duration) error {
	return moveDeadline(&c.writeDeadline, limit, c.raw.SetWriteDeadline)
}

func moveDeadline(last *time.Time, limit time.Duration, set func(time.Time) error) error {
	now := time.Now()
	if left := last.Sub(now); left > limit-min(time.Second, limit/4) && left <= limit {
		return nil
	}
	*last = now.Add(limit)
	return set(*last)
}

// wakeIfIdle ends the wait for a next request. A request that arrives in this moment is lost, as it is
// with every server that closes an idle connection; clients repeat it (RFC 9112 9.3.1).
func (c *Conn) wakeIfIdle() {
	if c.idle.Load() {
		c.raw.Close()
	}
}

// refuse answers a request that could not be read, if that was the client's fault, and closes.
func (c *Conn) refuse(err error) {
	var malformed *h1.Error
	if !errors.As(err, &malformed) {
		return
	}
	if c.server.BadRequest != nil {
		c.server.BadRequest()
	}
	document, err := json.Marshal(problem.New(malformed.Status, malformed.Name, malformed.Detail))
	if err != nil {
		return // three plain values always make a document
	}
	body := string(document) + "\n"
	if c.writeBy(c.server.Stall) != nil {
		return
	}
	_, _ = io.WriteString(c.raw, "HTTP/1.1 "+strconv.Itoa(malformed.Status)+" "+Reason(malformed.Status)+
		"\r\nContent-Type: application/problem+json\r\nCache-Control: no-store\r\nConnection: close\r\nContent-Length: "+
		strconv.Itoa(len(body))+"\r\n\r\n"+body)
	c.linger()
}

// linger reads what the client still sends for a moment: closing with unread bytes would reset the
// connection, and the client might lose our answer.
func (c *Conn) linger() {
	if half, ok := c.raw.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	_ = c.raw.SetReadDeadline(time.Now().Add(250 * time.Millisecond))
	_, _ = io.CopyN(io.Discard, c.raw, 256<<10)
}

// settle decides whether the connection can carry another request.
func (c *Conn) settle() error {
	r := &c.response
	switch {
	case r.err != nil:
		return r.err
	case !r.complete:
		return errIncomplete
	case c.body != nil && !c.body.end():
		c.linger()
		return errUnread
	}
	if r.closing {
		if c.reader.Buffered() > 0 {
			c.linger()
		}
		return errClosed
	}
	return nil
}

// Why a connection closes after a response.
var (
	errIncomplete = errors.New("response was not completed")
	errUnread     = errors.New("request body was not read")
)

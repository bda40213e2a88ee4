package http1

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"strconv"
	"sync/atomic"
	"time"
	"unsafe"

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
	br     *bufio.Reader
	head   []byte // the request head; Request points into it
	idle   atomic.Bool

	readDeadline, writeDeadline time.Time // as last set; zero: none

	body     body
	response response
}

const readBuffer = 4 << 10

func newConn(s *Server, raw net.Conn) *Conn {
	return &Conn{server: s, raw: raw, br: bufio.NewReaderSize(raw, readBuffer)}
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

// next waits for a request head and parses it.
func (c *Conn) next() error {
	c.idle.Store(true)
	if c.server.draining.Load() {
		return errClosed
	}
	if err := c.readBy(c.server.Idle); err != nil {
		return err
	}
	if _, err := c.br.Peek(1); err != nil {
		return errClosed
	}
	c.idle.Store(false)
	if err := c.readHead(); err != nil {
		return err
	}
	if err := c.Request.parse(unsafe.String(unsafe.SliceData(c.head), len(c.head))); err != nil {
		return err
	}
	if c.Request.Length != 0 || c.body.conn == nil {
		c.body.reset(c)
	}
	return nil
}

// readHead collects lines up to the empty one. Empty lines before the request line are skipped (RFC 9112
// 2.2). The time limit is set only when the head did not come in one piece.
func (c *Conn) readHead() error {
	if here, _ := c.br.Peek(c.br.Buffered()); !bytes.Contains(here, endOfHead) {
		c.readDeadline = time.Now().Add(c.server.Head)
		if err := c.raw.SetReadDeadline(c.readDeadline); err != nil {
			return err
		}
	}
	c.head = c.head[:0]
	for start := 0; ; {
		line, err := c.br.ReadSlice('\n')
		c.head = append(c.head, line...)
		if len(c.head) > MaxHead {
			if bytes.IndexByte(c.head, '\n') < 0 {
				return errURITooLong
			}
			return errHeadTooLarge
		}
		if err == bufio.ErrBufferFull {
			continue
		}
		if err != nil {
			return errClosed
		}
		if len(c.head)-start == 2 && c.head[start] == '\r' {
			if start > 0 {
				return nil
			}
			c.head = c.head[:0]
		}
		start = len(c.head)
	}
}

var endOfHead = []byte("\r\n\r\n")

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

// refuse answers a request that could not be parsed, and closes.
func (c *Conn) refuse(err error) {
	var status *StatusError
	if !errors.As(err, &status) {
		return
	}
	if c.server.BadRequest != nil {
		c.server.BadRequest()
	}
	document, err := json.Marshal(problem.New(status.Status, status.Name, status.Reason))
	if err != nil {
		return // three plain values always make a document
	}
	body := string(document) + "\n"
	if c.writeBy(c.server.Stall) != nil {
		return
	}
	_, _ = io.WriteString(c.raw, "HTTP/1.1 "+strconv.Itoa(status.Status)+" "+Reason(status.Status)+
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
	case c.Request.Length != 0 && c.body.pending():
		if !c.body.drain() {
			c.linger()
			return errUnread
		}
	}
	if r.closing {
		if c.br.Buffered() > 0 {
			c.linger()
		}
		return errClosed
	}
	return nil
}

var errIncomplete = errors.New("response was not completed")

package http1

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/flotilla-dev/flotilla/internal/h1"
)

// A body is the body of one request. A transport may still hold it, and even be reading, when the exchange
// ends: so no other exchange uses it again.
type body struct {
	conn *Conn

	mu      sync.Mutex // guards content and closed; held while waiting for the client
	content h1.Body
	closed  bool

	interim sync.Mutex // guards awaited, so that 100 Continue never follows the final answer
	awaited bool       // the client waits for 100 Continue
}

// errBodyClosed is what a read after the end of the exchange gets.
var errBodyClosed = errors.New("request body closed")

func newBody(c *Conn) *body {
	b := &body{conn: c, awaited: c.head.Expect}
	b.content.Start(c.reader, c.head.Length, 0)
	return b
}

// Body reads the request body. Its trailers are dropped: they mean nothing to a cache. A malformed one ends
// with an [h1.Error]. Reads after the handler has returned fail; none touches the connection then.
func (c *Conn) Body() io.Reader {
	if c.body == nil {
		return http.NoBody
	}
	return c.body
}

// EmptyBody reports that the request has no body after all: some proxies send an empty chunked one with every
// GET. The request then counts as one without a body.
func (c *Conn) EmptyBody() bool {
	if c.body != nil && c.body.content.AtEnd() {
		c.body, c.Request.Length = nil, 0
	}
	return c.body == nil
}

// Read implements io.Reader; the first one sends 100 Continue if the client waits for it.
func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return 0, errBodyClosed
	}
	if err := b.goAhead(); err != nil {
		return 0, err
	}
	if err := b.conn.readBy(b.conn.server.Stall); err != nil {
		return 0, err
	}
	return b.content.Read(p)
}

// goAhead sends the interim response once, unless the final one has begun.
func (b *body) goAhead() error {
	b.interim.Lock()
	defer b.interim.Unlock()
	if !b.awaited {
		return nil
	}
	b.awaited = false
	if err := b.conn.writeBy(b.conn.server.Stall); err != nil {
		return err
	}
	_, err := io.WriteString(b.conn.raw, "HTTP/1.1 100 Continue\r\n\r\n")
	return err
}

// final notes that the final response begins. It reports whether that has to close the connection: the rest
// of the body is not here, so the client may still be sending it, or has not heard whether it should.
func (b *body) final() bool {
	b.interim.Lock()
	awaited := b.awaited
	b.awaited = false
	b.interim.Unlock()
	if awaited || !b.mu.TryLock() {
		return true // in the second case somebody reads it at this moment
	}
	defer b.mu.Unlock()
	return !b.content.Done() && !b.content.Whole()
}

// end takes the body away from who may still read it, and skips a rest that is here. It reports whether the
// connection stands at the next request. A read that waits for the client at this moment, on behalf of a
// transport that no longer needs it, is broken off.
func (b *body) end() bool {
	if !b.mu.TryLock() {
		_ = b.conn.raw.SetReadDeadline(time.Now()) // fails only on a closed connection, where nothing waits
		b.mu.Lock()
		b.conn.readDeadline = time.Time{}
	}
	defer b.mu.Unlock()
	b.closed = true
	if b.content.Whole() {
		_, _ = io.Copy(io.Discard, &b.content) // from the buffer
	}
	return b.content.Reusable()
}

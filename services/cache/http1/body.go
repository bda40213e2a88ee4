package http1

import (
	"bufio"
	"errors"
	"io"
	"net/http/httputil"
	"sync"
	"time"
)

// body is the request body that is being read from the connection.
type body struct {
	mu        sync.Mutex // a transport may still read while the exchange ends
	conn      *Conn
	left      int64 // of a known length
	chunks    io.Reader
	ended     bool
	closed    bool
	continued bool
}

// errBodyClosed is what a read after the end of the exchange gets.
var errBodyClosed = errors.New("request body closed")

func (b *body) reset(c *Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.conn, b.left, b.chunks, b.closed, b.continued = c, c.Request.Length, nil, false, false
	b.ended = c.Request.Length == 0
	if c.Request.Length < 0 {
		b.chunks = httputil.NewChunkedReader(c.br)
	}
}

// Body reads the request body. Reads after the handler has returned fail; none touches the connection then.
func (c *Conn) Body() io.Reader { return (*bodyReader)(c) }

type bodyReader Conn

// Read implements io.Reader; the first one sends 100 Continue if the client waits for it.
func (r *bodyReader) Read(p []byte) (int, error) {
	c := (*Conn)(r)
	b := &c.body
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		return 0, errBodyClosed
	case b.ended:
		return 0, io.EOF
	}
	if err := b.goAhead(); err != nil {
		return 0, err
	}
	if err := c.readBy(c.server.Stall); err != nil {
		return 0, err
	}
	return b.read(p)
}

// goAhead sends the interim response once, unless the final one has begun.
func (b *body) goAhead() error {
	c := b.conn
	if !c.Request.Expect || b.continued || c.response.started {
		return nil
	}
	b.continued = true
	if err := c.writeBy(c.server.Stall); err != nil {
		return err
	}
	_, err := io.WriteString(c.raw, "HTTP/1.1 100 Continue\r\n\r\n")
	return err
}

func (b *body) read(p []byte) (int, error) {
	if b.chunks != nil {
		n, err := b.chunks.Read(p)
		if err == io.EOF {
			if err = skipTrailer(b.conn.br); err == nil {
				b.ended, err = true, io.EOF
			}
		}
		return n, err
	}
	n, err := b.conn.br.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	switch {
	case b.left == 0:
		b.ended = true
		if n == 0 {
			err = io.EOF
		} else {
			err = nil
		}
	case err == io.EOF:
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// skipTrailer reads the trailer section of a chunked body; a request trailer means nothing to a cache.
func skipTrailer(br *bufio.Reader) error {
	for total := 0; total < MaxHead; {
		line, err := br.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) == 2 && line[0] == '\r' {
			return nil
		}
		total += len(line)
	}
	return errHeadTooLarge
}

// pending reports an unread rest, and ends the life of the reader. A read that waits for the client at this
// moment, on behalf of a transport that no longer needs it, is broken off.
func (b *body) pending() bool {
	if !b.mu.TryLock() {
		_ = b.conn.raw.SetReadDeadline(time.Now())
		b.mu.Lock()
	}
	defer b.mu.Unlock()
	b.closed = true
	return !b.ended
}

// drain reads a small rest, if it is already here, so that the connection can be kept.
func (b *body) drain() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.chunks != nil || b.conn.Request.Expect || b.left > int64(b.conn.br.Buffered()) {
		return false
	}
	n, err := b.conn.br.Discard(int(b.left))
	b.left -= int64(n)
	b.ended = err == nil
	return b.ended
}

// EmptyBody reports that the request has no body after all: some proxies send an empty chunked one with every
// GET. The request then counts as one without a body.
func (c *Conn) EmptyBody() bool {
	if c.Request.Length >= 0 {
		return c.Request.Length == 0
	}
	const last = "0\r\n\r\n"
	if here, _ := c.br.Peek(min(len(last), c.br.Buffered())); string(here) != last {
		return false
	}
	_, err := c.br.Discard(len(last))
	c.Request.Length = 0
	return err == nil
}

package edge

import (
	"errors"
	"io"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flotilla-dev/flotilla/internal/h1"
	"github.com/flotilla-dev/flotilla/internal/hop"
)

// A clientBody is the body of an HTTP/1.1 request on its way upstream. It has
// to keep a minimum rate. It is a hop.Source: while the exchange lasts another
// goroutine may read it, and only ended may be asked beside that.
type clientBody struct {
	h1.Body
	conn    *conn
	started time.Time
	ended   atomic.Bool // read to its end: what follows on the connection is the next request

	mu      sync.Mutex // guards the rest, and that Stop is not undone by a Read
	by      time.Time  // deadline as set
	stopped bool
}

// start makes the body that follows the head just read. From here on it moves
// the deadline of the connection; whoever reads from that next sets a new one.
func (b *clientBody) start(c *conn, limit int64) {
	b.conn, b.started, b.by, b.stopped = c, time.Now(), time.Time{}, false
	b.Body.Start(c.reader, c.req.Length, limit)
	c.readBy = time.Time{}
}

// Trailers are what followed a chunked body.
func (b *clientBody) Trailers() []h1.Field { return b.Body.Trailers }

// Read reads content, if it comes in time.
func (b *clientBody) Read(p []byte) (int, error) {
	if !b.Whole() && !b.extend() {
		return 0, errStopped
	}
	n, err := b.Body.Read(p)
	switch {
	case err == io.EOF:
		// Before the last piece goes upstream: an answer to the whole request
		// finds it said.
		b.ended.Store(true)
	case err != nil && errors.Is(err, os.ErrDeadlineExceeded):
		err = errTooSlow
	}
	return n, err
}

var errStopped = errors.New("the answer is complete")

// extend moves the deadline by what has arrived.
func (b *clientBody) extend() bool {
	cfg := b.conn.cfg
	earned := time.Duration(float64(b.Taken()) / float64(cfg.MinRate) * float64(time.Second))
	by := b.started.Add(cfg.MinRateGrace + earned)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped {
		return false
	}
	if by.Sub(b.by) > time.Second {
		b.by = by
		_ = b.conn.net.SetReadDeadline(by) // fails only on a closed connection, which the read tells
	}
	return true
}

// Stop makes a Read that waits return: nobody needs the rest.
func (b *clientBody) Stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopped = true
	_ = b.conn.net.SetReadDeadline(time.Unix(1, 0)) // as in extend
}

// readSmallBody puts the whole body behind the head.
func (c *conn) readSmallBody() error {
	n := int(c.req.Length)
	c.x.Head = slices.Grow(c.x.Head, n)
	at := len(c.x.Head)
	c.x.Head = c.x.Head[:at+n]
	_, err := io.ReadFull(&c.body, c.x.Head[at:])
	if err != nil {
		return &hop.BodyError{Err: err}
	}
	return nil
}

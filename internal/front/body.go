package front

import (
	"errors"
	"io"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flotilla-dev/flotilla/internal/h1"
	"github.com/flotilla-dev/flotilla/internal/hop"
)

// A body is the body of a request on its way upstream. It has to keep a minimum
// rate. It is a hop.Source: while the exchange lasts another goroutine may read
// it, and only ended may be asked beside that.
type body struct {
	h1.Body
	conn    *Conn
	started time.Time
	ended   atomic.Bool // read to its end: what follows on the connection is the next request

	mu      sync.Mutex // guards the rest, and that Stop is not undone by a Read
	by      time.Time  // deadline as set
	stopped bool
}

// start makes the body that follows the head just read. From here on it moves
// the deadline of the connection; whoever reads from that next sets a new one.
func (b *body) start(c *Conn, limit int64) {
	b.conn, b.started, b.by, b.stopped = c, time.Now(), time.Time{}, false
	b.Body.Start(c.reader, c.Request.Length, limit)
	c.readBy = time.Time{}
}

// Trailers are what followed a chunked body.
func (b *body) Trailers() []h1.Field { return b.Body.Trailers }

// Read reads content, if it comes in time.
func (b *body) Read(p []byte) (int, error) {
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
		err = ErrTooSlow
	}
	return n, err
}

// ErrTooSlow is what is wrong with a request body below the minimum rate.
var ErrTooSlow = errors.New("the body arrives too slowly")

var errStopped = errors.New("the answer is complete")

// extend moves the deadline by what has arrived.
func (b *body) extend() bool {
	limits := b.conn.Limits
	earned := time.Duration(float64(b.Taken()) / float64(limits.Rate) * float64(time.Second))
	by := b.started.Add(limits.Grace + earned)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped {
		return false
	}
	if by.Sub(b.by) > time.Second {
		b.by = by
		_ = b.conn.Net.SetReadDeadline(by) // fails only on a closed connection, which the read tells
	}
	return true
}

// Stop makes a Read that waits return: nobody needs the rest.
func (b *body) Stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopped = true
	_ = b.conn.Net.SetReadDeadline(time.Unix(1, 0)) // as in extend
}

// SmallBody is the largest body that is read before the request goes upstream:
// then it needs no second goroutine, one write sends it all, and a client that
// is slow to send it holds no connection to a replica.
const SmallBody = 16 << 10

// Complete ends the head of the exchange by what it says of the body, an offer
// of another protocol included, and gets the body of at most limit bytes ready.
// Replay and ToHead of the exchange follow from the request. The error is a
// hop.BodyError.
func (c *Conn) Complete(limit int64) error {
	q, x := &c.Request, &c.Exchange
	x.Replay = !q.HasBody() && Replayable(string(q.Method))
	x.ToHead = string(q.Method) == "HEAD"
	x.Body, x.Chunked, x.Expect, x.Upgrade = nil, false, false, false
	if !q.HasBody() {
		c.appendUpgrade()
		if q.Length == 0 {
			x.Head = append(x.Head, "Content-Length: 0\r\n"...)
		}
		x.Head = append(x.Head, '\r', '\n')
		return nil
	}
	if q.Length > limit {
		return &hop.BodyError{Err: h1.ErrBodyTooLong}
	}
	c.body.start(c, limit)
	if q.Chunked() {
		x.Head = append(x.Head, "Transfer-Encoding: chunked\r\n"...)
	} else {
		x.Head = append(x.Head, "Content-Length: "...)
		x.Head = strconv.AppendInt(x.Head, q.Length, 10)
		x.Head = append(x.Head, '\r', '\n')
	}
	if q.Expect {
		x.Head = append(x.Head, "Expect: 100-continue\r\n"...)
	}
	x.Head = append(x.Head, '\r', '\n')
	if !q.Chunked() && !q.Expect && q.Length <= SmallBody {
		return c.readSmallBody()
	}
	x.Body, x.Chunked, x.Expect = &c.body, q.Chunked(), q.Expect
	return nil
}

// appendUpgrade passes the offer of another protocol on.
func (c *Conn) appendUpgrade() {
	if offer := c.Request.WantsUpgrade(); offer != nil {
		x := &c.Exchange
		x.Upgrade = true
		x.Head = append(x.Head, "Connection: Upgrade\r\nUpgrade: "...)
		x.Head = append(x.Head, offer...)
		x.Head = append(x.Head, '\r', '\n')
	}
}

// readSmallBody puts the whole body behind the head.
func (c *Conn) readSmallBody() error {
	n, x := int(c.Request.Length), &c.Exchange
	x.Head = slices.Grow(x.Head, n)
	at := len(x.Head)
	x.Head = x.Head[:at+n]
	_, err := io.ReadFull(&c.body, x.Head[at:])
	if err != nil {
		return &hop.BodyError{Err: err}
	}
	return nil
}

// Replayable are the methods that have the same effect once and twice
// (RFC 9110, 9.2.2).
func Replayable(method string) bool {
	switch method {
	case "GET", "HEAD", "OPTIONS", "PUT", "DELETE":
		return true
	}
	return false
}

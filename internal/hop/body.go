package hop

import (
	"io"
	"net"
	"time"

	"github.com/flotilla-dev/flotilla/internal/h1"
	"github.com/flotilla-dev/flotilla/internal/upstream"
)

// Length is how long the answer's body is; -1: chunked; -2: it ends with the
// connection.
func (x *Exchange) Length() int64 { return x.Response.BodyLength(x.ToHead) }

// Ready tells whether Read will return something without waiting.
func (x *Exchange) Ready() bool { return x.body.Ready() }

// Done tells that the answer's body was read to its end.
func (x *Exchange) Done() bool { return x.body.Done() }

// Trailers are the fields after a chunked body, once it is Done.
func (x *Exchange) Trailers() []h1.Field { return x.body.Trailers }

// Read reads the body of the answer. A replica that is silent for too long is an
// error.
func (x *Exchange) Read(p []byte) (int, error) {
	if !x.body.Ready() && !x.body.Done() {
		// Setting a deadline is not free. One that is nearly as far off as a new
		// one will do.
		idle := x.replica.options.Idle
		now := time.Now()
		if x.deadline.Before(now.Add(idle - idle/4)) {
			if err := x.setDeadline(now.Add(idle)); err != nil {
				return 0, err
			}
		}
	}
	n, err := x.body.Read(p)
	if err != nil && err != io.EOF {
		x.broken = true
	}
	return n, err
}

// Finish ends the exchange. The connection is kept when the answer was read to
// its end and the request sent to its end; else it is closed.
func (x *Exchange) Finish() {
	c := x.conn
	keep := x.body.Reusable() && x.Response.Persists() && c.reader.Buffered() == 0 && x.sent()
	if !keep {
		c.Close()
	}
	x.stopSender()
	if keep {
		x.replica.give(c)
	}
	x.release()
}

// sent tells that the whole request was sent.
func (x *Exchange) sent() bool {
	if x.sender == nil {
		return x.Body == nil // else it was held back, and nobody asked for it
	}
	return x.sender.finished()
}

func (x *Exchange) release() {
	outcome := upstream.OfStatus(x.Response.Status)
	if x.broken {
		outcome = upstream.Broken
	}
	x.endpoint.Done(outcome, x.Waited)
	x.conn, x.endpoint, x.replica, x.sender = nil, nil, nil, nil
}

// Hijack gives the connection away after a 101: early is what the replica has
// said already. The caller calls done when the connection is closed.
func (x *Exchange) Hijack() (c net.Conn, early []byte, done func()) {
	e := x.endpoint
	c, early = x.conn.Conn, x.conn.reader.Take()
	_ = c.SetDeadline(time.Time{}) // fails only when the connection is closed, which the next read tells
	e.Report(upstream.OK, x.Waited)
	x.conn, x.endpoint, x.replica = nil, nil, nil
	return c, early, e.Release
}

package front

import (
	"io"
	"net"
	"time"

	"github.com/flotilla-dev/flotilla/internal/h1"
	"github.com/flotilla-dev/flotilla/internal/hop"
)

// Limits are what a client has to keep to. All must be above zero.
type Limits struct {
	HeadBytes int           // of a request's head
	Head      time.Duration // from the first byte of a request to the end of its head
	Idle      time.Duration // between two requests
	Write     time.Duration // to take a piece of an answer
	Rate      int64         // bytes per second that a body has to reach on average,
	Grace     time.Duration // once it had this long
	Upgraded  time.Duration // how long an upgraded connection may be silent in both directions
}

// A Conn is a client's connection, and the request and exchange that are under
// way on it. Set the first four fields, then call Open.
type Conn struct {
	Net    net.Conn // read and written
	TCP    net.Conn // what is below TLS, or Net itself
	Limits *Limits
	// Outermost: what only the outermost gateway may tell a client
	// (h1.EdgeOnly) is not taken from a replica.
	Outermost bool

	Request  h1.Request   // the one read last
	Exchange hop.Exchange // the one that answers it
	Linger   bool         // the client may still be sending when the connection closes

	reader  *h1.Reader
	body    body
	readBy  time.Time // deadlines as set; zero: none
	writeBy time.Time
}

// Open prepares the connection for its first request.
func (c *Conn) Open() {
	c.reader = h1.NewReader(c.Net, 0)
	c.Exchange.Gone, c.Exchange.Interim = c.gone, c.interim
}

// Await reads the head of the next request. opening is called when it does not
// come as a whole. began tells whether the error is about a request, and not
// about the silence before one.
func (c *Conn) Await(opening func()) (began bool, err error) {
	if err := c.reader.Wait(c.waitIdle); err != nil {
		return false, err
	}
	if !c.reader.HasHead() {
		opening()
		c.setReadDeadline(time.Now().Add(c.Limits.Head))
	}
	return true, c.reader.ReadRequest(&c.Request, c.Limits.HeadBytes)
}

// waitIdle prepares for the wait for a request that has not begun. A deadline
// that is nearly as far off as a new one will do.
func (c *Conn) waitIdle() {
	now := time.Now()
	if idle := c.Limits.Idle; c.readBy.Before(now.Add(idle-idle/4)) || c.readBy.After(now.Add(idle)) {
		c.setReadDeadline(now.Add(idle))
	}
}

func (c *Conn) setReadDeadline(t time.Time) {
	c.readBy = t
	_ = c.Net.SetReadDeadline(t) // fails only on a closed connection, which the read tells
}

// Begin forgets the body of the request before.
func (c *Conn) Begin() { c.body.ended.Store(false) }

// BodyIsOver tells whether the client's connection stands at the next request:
// this one has no body, or it was read to its end. Whether it was also sent
// upstream to its end is no concern of the client.
func (c *Conn) BodyIsOver() bool { return !c.Request.HasBody() || c.body.ended.Load() }

// Send sends bytes to the client, who has to take them in time.
func (c *Conn) Send(b []byte) error {
	now := time.Now()
	if limit := c.Limits.Write; c.writeBy.Before(now.Add(limit / 2)) {
		c.writeBy = now.Add(limit)
		if err := c.Net.SetWriteDeadline(c.writeBy); err != nil {
			return err
		}
	}
	_, err := c.Net.Write(b)
	return err
}

// lingerFor and lingerBytes bound how long a client that still sends is listened
// to after it was answered. Without this its data would meet a closed socket,
// and the reset that follows could destroy the answer on its way (RFC 9112, 9.6).
const (
	lingerFor   = 500 * time.Millisecond
	lingerBytes = 256 << 10
)

// HangUp closes the connection.
func (c *Conn) HangUp() {
	if half, ok := c.Net.(interface{ CloseWrite() error }); ok && c.Linger && half.CloseWrite() == nil {
		_ = c.Net.SetReadDeadline(time.Now().Add(lingerFor)) // fails only when there is nothing to wait for
		_, _ = io.CopyN(io.Discard, c.Net, lingerBytes)
	}
	_ = c.Net.Close() // nothing is left to be done about an error
}

package edge

import (
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// tunnel joins client and replica after a 101, until both have said all they
// have to say, one of them breaks, or both are silent for too long.
func (c *conn) tunnel(r *route) {
	replica, early, done := c.x.Hijack()
	defer done()
	c.metrics.upgraded.Inc()
	defer c.metrics.upgraded.Dec()
	out := c.appendSwitch(nil)
	if c.write(append(out, early...)) != nil {
		replica.Close()
		c.gaveUp(r)
		return
	}
	_ = c.net.SetWriteDeadline(time.Time{}) // each fails only when the connection is closed
	t := &tunnel{idle: c.cfg.UpgradeIdle}
	t.active()
	up := make(chan struct{})
	go func() {
		defer close(up)
		t.copy(replica, io.MultiReader(&buffered{c}, c.net), c.net)
	}()
	c.entry.sent = t.copy(c.net, replica, replica)
	<-up
	replica.Close()
	c.finish(r, &c.entry, c.span)
}

// appendSwitch writes the head of the 101.
func (c *conn) appendSwitch(out []byte) []byte {
	p := &c.x.Response
	out = appendStatus(out, p.Status, p.Reason)
	out = append(out, "Connection: Upgrade\r\nUpgrade: "...)
	out = append(out, p.Upgrade...)
	out = append(out, '\r', '\n')
	for i := range p.Fields {
		if field := &p.Fields[i]; p.Forward(field) {
			out = appendField(out, field.Name, field.Value)
		}
	}
	return append(out, '\r', '\n')
}

// buffered reads what came with the client's request.
type buffered struct{ *conn }

func (b *buffered) Read(p []byte) (int, error) {
	if b.reader.Buffered() == 0 {
		return 0, io.EOF
	}
	return b.reader.Read(p)
}

// A tunnel is two copies that share the time of the last activity.
type tunnel struct {
	idle time.Duration
	last atomic.Int64 // Unix nanoseconds
}

func (t *tunnel) active() { t.last.Store(time.Now().UnixNano()) }

// copy passes on what from says; source is the connection behind from. The end
// of one direction is passed on as such: the other one may go on. After an error
// both connections are closed.
func (t *tunnel) copy(to net.Conn, from io.Reader, source net.Conn) (sent int64) {
	buf, _ := pieces.Get().(*[pieceSize]byte)
	defer pieces.Put(buf)
	for {
		_ = source.SetReadDeadline(time.Unix(0, t.last.Load()).Add(t.idle)) // fails only on a closed one: the read tells
		n, err := from.Read(buf[:])
		if n > 0 {
			t.active()
			_ = to.SetWriteDeadline(time.Now().Add(t.idle)) // likewise
			if _, err := to.Write(buf[:n]); err != nil {
				break
			}
			sent += int64(n)
		}
		switch {
		case err == nil:
			continue
		case errors.Is(err, io.EOF):
			if half, ok := to.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
				return sent
			}
		case errors.Is(err, os.ErrDeadlineExceeded) && time.Since(time.Unix(0, t.last.Load())) < t.idle:
			continue // the other direction is alive
		}
		break
	}
	to.Close()
	source.Close()
	return sent
}

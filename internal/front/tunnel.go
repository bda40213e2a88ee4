package front

import (
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// Tunnel joins client and replica after a 101, until both have said all they
// have to say, one of them breaks, or both are silent for too long. It returns
// how much the client got, or an error when it did not even get the 101. The
// connection to the client is not closed in every case: see HangUp.
func (c *Conn) Tunnel() (sent int64, err error) {
	replica, early, done := c.Exchange.Hijack()
	defer done()
	defer replica.Close()
	out := c.appendSwitch(nil)
	if err := c.Send(append(out, early...)); err != nil {
		return 0, err
	}
	_ = c.Net.SetWriteDeadline(time.Time{}) // each fails only when the connection is closed
	t := &tunnel{idle: c.Limits.Upgraded}
	t.active()
	up := make(chan struct{})
	go func() {
		defer close(up)
		t.copy(replica, io.MultiReader(&buffered{c}, c.Net), c.Net)
	}()
	sent = t.copy(c.Net, replica, replica)
	<-up
	return sent, nil
}

// appendSwitch writes the head of the 101.
func (c *Conn) appendSwitch(out []byte) []byte {
	p := &c.Exchange.Response
	out = AppendStatus(out, p.Status, p.Reason)
	out = append(out, "Connection: Upgrade\r\nUpgrade: "...)
	out = append(out, p.Upgrade...)
	out = append(out, '\r', '\n')
	for i := range p.Fields {
		if field := &p.Fields[i]; p.Forward(field) {
			out = AppendField(out, field.Name, field.Value)
		}
	}
	return append(out, '\r', '\n')
}

// buffered reads what came with the client's request.
type buffered struct{ *Conn }

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

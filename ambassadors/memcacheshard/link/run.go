package link

import (
	"context"
	"net"
	"time"

	"github.com/flotilla-dev/flotilla/ambassadors/memcacheshard/wire"
	"github.com/flotilla-dev/flotilla/internal/tcpserve"
)

// run is the life of one connection.
func (l *Link) run(ctx context.Context) {
	var d net.Dialer
	dialled, err := d.DialContext(ctx, "tcp", l.o.Addr)
	if err != nil {
		l.over(ErrDown, false)
		return
	}
	defer dialled.Close()
	conn := tcpserve.NewDirect(dialled)
	if !l.opened(conn) {
		l.over(ErrClosed, false)
		return
	}
	l.Flush()
	worked, err := l.read(conn)
	l.over(err, worked)
}

// opened makes the connection the link's, unless it was given up meanwhile.
func (l *Link) opened(conn tcpserve.Direct) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reason != nil {
		return false
	}
	l.state, l.conn = open, conn
	return true
}

// read hands out answers until the connection ends. It tells whether there was
// any.
func (l *Link) read(conn net.Conn) (worked bool, err error) {
	in := wire.NewAnswers(l.o.MaxAnswer)
	b := batch{}
	for {
		if _, err := in.Fill(conn); err != nil {
			return worked, ErrLost
		}
		err := l.handOut(in, &b)
		if len(b.took) > 0 {
			worked = true
			l.o.Worked(b.took)
		}
		b.flush()
		if err != nil {
			return worked, err
		}
	}
}

// batch is what came of one read.
type batch struct {
	receivers []Receiver // to be flushed
	took      []time.Duration
}

func (b *batch) flush() {
	for i, r := range b.receivers {
		r.Flush()
		b.receivers[i] = nil
	}
	b.receivers, b.took = b.receivers[:0], b.took[:0]
}

func (l *Link) handOut(in *wire.Answers, b *batch) error {
	now := time.Now()
	for {
		answer, ok, err := in.Next()
		if err != nil {
			return ErrAnswer
		}
		if !ok {
			return nil
		}
		call, asked := l.answered()
		if !asked {
			return ErrAnswer
		}
		b.took = append(b.took, now.Sub(call.sent))
		if call.To != nil && call.To.Answer(call.Token, answer) {
			b.receivers = append(b.receivers, call.To)
		}
	}
}

func (l *Link) answered() (Call, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.calls.n == 0 {
		return Call{}, false
	}
	c := l.calls.pop()
	l.wake()
	return c, true
}

// over fails what is on the connection that has ended. worked tells whether it
// ever was of use.
func (l *Link) over(reason error, worked bool) {
	l.mu.Lock()
	if l.reason != nil {
		reason = l.reason
	}
	lost := make([]Call, 0, l.calls.n)
	for l.calls.n > 0 {
		lost = append(lost, l.calls.pop())
	}
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
	if reason == ErrDown {
		l.refused = time.Now().Add(redialAfter)
	}
	l.state, l.conn, l.out, l.writing = idle, nil, l.out[:0], false
	// A server that ends a connection on which nothing waits was restarted, or is
	// gone: to dial at once finds out before a client does.
	unasked := worked && len(lost) == 0 && reason == ErrLost
	if unasked {
		l.dial()
	}
	closing := l.closing
	l.wake()
	l.mu.Unlock()
	if !closing && !unasked {
		l.o.Failed(reason)
	}
	for _, c := range lost {
		if c.To != nil && c.To.Fail(c.Token, reason) {
			c.To.Flush()
		}
	}
}

// Flush writes what is queued, without waiting: where the connection has no
// room, a goroutine goes on.
func (l *Link) Flush() {
	l.mu.Lock()
	for l.state == open && !l.writing && len(l.out) > 0 {
		b, conn := l.out, l.conn
		l.out, l.spare, l.writing = l.spare[:0], nil, true
		l.wake()
		l.mu.Unlock()
		n, err := conn.TryWrite(b)
		l.mu.Lock()
		if err == nil && n < len(b) && l.conn == conn {
			l.wg.Go(func() { l.writeOn(conn, b[n:]) })
			break
		}
		l.wrote(conn, b, err)
	}
	l.mu.Unlock()
}

// writeOn writes what had no room. When the server does not take it, that ends
// with the connection, by Timeout.
func (l *Link) writeOn(conn tcpserve.Direct, b []byte) {
	_, err := conn.Write(b)
	l.mu.Lock()
	l.wrote(conn, b, err)
	l.mu.Unlock()
	l.Flush()
}

// maxSpare is how much memory is kept for the next writes.
const maxSpare = 256 << 10

// wrote is called with mu held when a write is over.
func (l *Link) wrote(conn tcpserve.Direct, b []byte, err error) {
	if l.conn != conn {
		return // of a connection that is over
	}
	l.writing = false
	if cap(b) <= maxSpare {
		l.spare = b[:0]
	}
	if err != nil {
		l.giveUp(ErrLost)
	}
}

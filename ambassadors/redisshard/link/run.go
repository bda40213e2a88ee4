package link

import (
	"io"
	"net"
	"runtime"

	"github.com/flotilla-dev/flotilla/ambassadors/redisshard/resp"
	"github.com/flotilla-dev/flotilla/internal/tcpserve"
)

// maxSpare is how large a buffer may be to be used again.
const maxSpare = 64 << 10

// run writes and reads until the link ends.
func (l *Link) run(conn net.Conn, convert func([]byte) []byte) {
	l.mu.Lock()
	if l.ended != nil {
		l.mu.Unlock()
		_ = conn.Close()
		return
	}
	l.conn = conn
	l.mu.Unlock()
	conn = tcpserve.NewDirect(conn)
	l.o.Group.Go(func() { l.End(l.read(conn, convert)) })
	l.write(conn)
}

// write writes what is sent, as much as there is in one go.
func (l *Link) write(conn io.Writer) {
	for range l.wake {
		// Whoever is ready to run may have more for the same write; a system call
		// costs more than letting them go first.
		runtime.Gosched()
		b := l.takeOut()
		if b == nil {
			return
		}
		if _, err := conn.Write(b); err != nil {
			l.End(err)
			return
		}
		l.giveBack(b)
	}
}

// takeOut returns what is to be written, or nil when the link has ended.
func (l *Link) takeOut() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended != nil {
		return nil
	}
	b := l.out
	l.out, l.spare, l.woken = l.spare[:0], nil, false
	if l.waiting > 0 {
		l.room.Broadcast()
	}
	return b
}

func (l *Link) giveBack(b []byte) {
	if cap(b) > maxSpare {
		return
	}
	l.mu.Lock()
	l.spare = b
	l.mu.Unlock()
}

// read hands on replies until there is an error, and returns it.
func (l *Link) read(conn io.Reader, convert func([]byte) []byte) error {
	in := resp.NewReplies(l.o.MaxReply)
	var b batch
	for {
		if _, err := in.Fill(conn); err != nil {
			return err
		}
		flaw := b.collect(in)
		if len(b.replies) > 0 {
			if !l.land(&b) {
				return ErrUnexpected
			}
			l.handOut(&b, convert)
		}
		if flaw != nil {
			return flaw
		}
	}
}

// land takes the requests out of flight that a batch answers. They are fewer
// when the server says more than it was asked.
func (l *Link) land(b *batch) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(b.replies) > l.flight.n {
		return false
	}
	b.requests = l.flight.pop(b.requests[:0], len(b.replies))
	l.inUse.Store(int64(l.flight.n))
	if l.waiting > 0 {
		l.room.Broadcast()
	}
	return true
}

func (l *Link) handOut(b *batch, convert func([]byte) []byte) {
	now := Now()
	l.o.Replied(b.replies[0])
	for i, r := range b.requests {
		reply := b.replies[i]
		switch {
		case reply == nil:
			reply = l.o.Failure(resp.ErrTooLarge)
		case convert != nil:
			reply = convert(reply)
		}
		l.o.Took(now - r.sent)
		b.answer(r, reply)
	}
	b.flush()
}

// batch is what one read brought, and who is to be told of it.
type batch struct {
	replies  [][]byte
	requests []Request
	touched  []Receiver
}

// collect finds the replies that have come completely.
func (b *batch) collect(in *resp.Replies) error {
	b.replies = b.replies[:0]
	for {
		reply, ok, err := in.Next()
		if err != nil || !ok {
			return err
		}
		if len(reply) > 0 && reply[0] == '>' {
			continue // pushed, not asked for: no request is waiting for it
		}
		b.replies = append(b.replies, reply)
	}
}

func (b *batch) answer(r Request, reply []byte) {
	if r.To != nil && r.To.Answer(r.Token, reply) {
		b.touched = append(b.touched, r.To)
	}
}

func (b *batch) flush() {
	for i, to := range b.touched {
		to.Flush()
		b.touched[i] = nil
	}
	b.touched = b.touched[:0]
}

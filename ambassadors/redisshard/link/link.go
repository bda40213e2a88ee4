package link

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// A Receiver gets the replies to the requests that it sent. Its methods are
// called by goroutines of links and must not block.
type Receiver interface {
	// Answer takes the reply to a request; its bytes are good until Answer
	// returns. True asks for a Flush when the batch of replies is over.
	Answer(token Token, reply []byte) (flush bool)
	Flush()
}

// Token is what a receiver knows a request by.
type Token struct {
	Seq  uint64
	Part int
}

// Request is a request in flight.
type Request struct {
	To    Receiver // nil: nobody wants the reply
	Token Token

	sent time.Duration
}

// Now is the time as links count it.
func Now() time.Duration { return time.Since(epoch) }

var epoch = time.Now()

// Reasons for which a link ends, beside errors of the network and package resp.
var (
	ErrTimeout    = errors.New("no answer in time")
	ErrUnexpected = errors.New("a reply that nobody asked for")
	ErrClosed     = errors.New("the link was closed")
)

// Options of a link. All are needed.
type Options struct {
	// Dial opens a connection that is ready for requests. Convert, where it is
	// not nil, is applied to every reply.
	Dial func(ctx context.Context) (conn net.Conn, convert func(reply []byte) []byte, err error)
	// Timeout is how long the oldest request may wait, dialling included.
	Timeout time.Duration

	MaxReply   int // bytes of a reply
	MaxFlight  int // requests without a reply
	MaxBacklog int // bytes that wait to be written

	// Failure is the reply to requests that get none, because the link ended or,
	// by resp.ErrTooLarge, because the reply was too large.
	Failure func(err error) []byte
	// Ended is told why the link ended and how many requests were in flight.
	Ended func(l *Link, err error, lost int)
	// Replied is told of one reply of each batch, Took of the time of every reply.
	Replied func(reply []byte)
	Took    func(d time.Duration)

	Group *sync.WaitGroup // of the goroutines of the link
}

// Link is a connection. Its methods may be called by any goroutine.
type Link struct {
	o      Options
	cancel context.CancelFunc
	wake   chan struct{} // of the writer; woken allows one at a time
	inUse  atomic.Int64  // requests in flight, for metrics

	mu      sync.Mutex // guards all below
	room    sync.Cond  // there may be room for a request
	waiting int        // for room
	conn    net.Conn
	out     []byte // to be written
	spare   []byte // the buffer that was written before
	woken   bool   // the writer will look at out
	flight  queue
	ended   error
}

// New opens a link. It dials in the background and takes requests at once.
func New(ctx context.Context, o Options) *Link {
	ctx, cancel := context.WithCancel(ctx)
	l := &Link{o: o, cancel: cancel, wake: make(chan struct{}, 1)}
	l.room.L = &l.mu
	o.Group.Go(func() {
		conn, convert, err := o.Dial(ctx)
		if err != nil {
			l.End(err)
			return
		}
		l.run(conn, convert)
	})
	return l
}

// Send sends requests, with their bytes, in one piece: nobody else's come
// between them. It waits while the link is full. The error is the one for which
// the link ended; the requests were not sent then.
func (l *Link) Send(now time.Duration, bytes []byte, requests ...Request) error {
	l.mu.Lock()
	for l.ended == nil && l.full(len(requests)) {
		l.waiting++
		l.room.Wait()
		l.waiting--
	}
	if l.ended != nil {
		defer l.mu.Unlock()
		return l.ended
	}
	l.out = append(l.out, bytes...)
	for _, r := range requests {
		r.sent = now
		l.flight.push(r)
	}
	l.inUse.Store(int64(l.flight.n))
	wake := !l.woken
	l.woken = true
	l.mu.Unlock()
	if wake {
		l.wake <- struct{}{}
	}
	return nil
}

// full is called with mu held.
func (l *Link) full(more int) bool {
	return l.flight.n > 0 && l.flight.n+more > l.o.MaxFlight || len(l.out) > l.o.MaxBacklog
}

// InFlight is the number of requests without a reply.
func (l *Link) InFlight() int { return int(l.inUse.Load()) }

// Check ends the link when its oldest request has waited for too long.
func (l *Link) Check(now time.Duration) {
	l.mu.Lock()
	late := l.flight.n > 0 && now-l.flight.oldest().sent > l.o.Timeout
	l.mu.Unlock()
	if late {
		l.End(ErrTimeout)
	}
}

// End ends the link. All that is in flight gets the error as its reply, when End
// returns.
func (l *Link) End(err error) {
	l.mu.Lock()
	if l.ended != nil {
		l.mu.Unlock()
		return
	}
	l.ended = err
	l.cancel()
	if l.conn != nil {
		_ = l.conn.Close()
	}
	lost := l.flight.pop(nil, l.flight.n)
	l.inUse.Store(0)
	l.out, l.spare = nil, nil
	l.room.Broadcast()
	if !l.woken { // so that the writer leaves
		l.woken = true
		l.wake <- struct{}{}
	}
	l.mu.Unlock()

	l.o.Ended(l, err, len(lost))
	failure := l.o.Failure(err)
	var b batch
	for _, r := range lost {
		b.answer(r, failure)
	}
	b.flush()
}

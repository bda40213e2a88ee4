package link

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/flotilla-dev/flotilla/internal/tcpserve"
)

// A Receiver gets the answers to its requests. Its methods must not block; they
// may send further requests.
type Receiver interface {
	// Answer takes the answer to the request with a token; it is good until Answer
	// returns, and nil when it was too large. It returns true when Flush is to be
	// called, after a batch of answers.
	Answer(token Token, answer []byte) (flush bool)
	// Fail says that the answer to a request will never come.
	Fail(token Token, err error) (flush bool)
	Flush()
}

// Token is what a receiver knows a request by.
type Token struct {
	Seq  uint64
	Part int32
}

// Call is a request that waits for its answer.
type Call struct {
	To    Receiver // nil: nobody wants the answer
	Token Token
	sent  time.Time
}

// What can become of a request.
var (
	ErrBusy    = errors.New("has too many requests waiting")
	ErrDown    = errors.New("is down")
	ErrTimeout = errors.New("did not answer in time")
	ErrLost    = errors.New("closed the connection")
	ErrAnswer  = errors.New("sent what is no answer")
	ErrClosed  = errors.New("is no longer used")
)

// Options of a link.
type Options struct {
	Addr      string
	Timeout   time.Duration // from sending a request to its answer, with dialling
	MaxCalls  int           // requests without an answer
	MaxBytes  int           // of requests that are not written yet
	MaxAnswer int           // bytes of an answer

	// Failed and Worked are told what became of the connection: that it failed,
	// once for all that was on it, and that answers came, each with the time that
	// it took. They must not block.
	Failed func(error)
	Worked func(took []time.Duration)
}

// Link is a connection to one server.
type Link struct {
	o Options

	mu      sync.Mutex // guards all below
	state   state
	conn    tcpserve.Direct // nil while there is none
	out     []byte          // to be written
	spare   []byte
	writing bool
	calls   queue
	cancel  context.CancelFunc // ends the dialling
	reason  error              // why the connection was given up
	closing bool
	refused time.Time // until when nobody dials again
	timer   *time.Timer
	waiting int // for room
	room    sync.Cond
	wg      sync.WaitGroup
}

type state uint8

const (
	idle state = iota // no connection, and nobody dials
	dialling
	open
)

// redialAfter is the pause after a failure to dial: requests meanwhile fail at
// once.
const redialAfter = 20 * time.Millisecond

// New returns a link that dials when it is needed.
func New(o Options) *Link {
	l := &Link{o: o}
	l.room.L = &l.mu
	return l
}

// Send queues a request, which comes in two pieces, for the next Flush. It never
// waits: the error is one of those above.
func (l *Link) Send(now time.Time, head, tail []byte, c Call) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.full() {
		return ErrBusy
	}
	return l.queue(now, head, tail, c)
}

// Insist is Send for who cannot wait: the link takes the request though it has
// MaxBytes to write. The caller has a bound of its own for that.
func (l *Link) Insist(now time.Time, head, tail []byte, c Call) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.calls.n >= l.o.MaxCalls {
		return ErrBusy
	}
	return l.queue(now, head, tail, c)
}

// queue is called with mu held.
func (l *Link) queue(now time.Time, head, tail []byte, c Call) error {
	if l.closing {
		return ErrClosed
	}
	if l.state == idle && now.Before(l.refused) {
		return ErrDown
	}
	l.out = append(append(l.out, head...), tail...)
	c.sent = now
	l.calls.push(c)
	l.dial()
	if l.timer == nil {
		l.timer = time.AfterFunc(l.o.Timeout, l.expire)
	}
	return nil
}

func (l *Link) full() bool { return l.calls.n >= l.o.MaxCalls || len(l.out) >= l.o.MaxBytes }

// Room waits until a link that was busy is so no more, or its connection has
// ended, which it does when the server takes and answers nothing for Timeout.
func (l *Link) Room() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting++
	for l.full() && l.state != idle {
		l.room.Wait()
	}
	l.waiting--
}

// wake is called with mu held when there may be room.
func (l *Link) wake() {
	if l.waiting > 0 {
		l.room.Broadcast()
	}
}

// Connect dials if there is no connection.
func (l *Link) Connect() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dial()
}

// dial is called with mu held.
func (l *Link) dial() {
	if l.state != idle || l.closing {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), l.o.Timeout)
	l.state, l.cancel, l.reason = dialling, cancel, nil
	l.wg.Go(func() {
		defer cancel()
		l.run(ctx)
	})
}

// Close ends the link; what is on it fails.
func (l *Link) Close() {
	l.mu.Lock()
	l.closing = true
	l.giveUp(ErrClosed)
	l.mu.Unlock()
	l.wg.Wait()
}

// giveUp ends the present connection, or the attempt at one; the goroutine of
// run does the rest. It is called with mu held.
func (l *Link) giveUp(reason error) {
	if l.state == idle {
		return
	}
	if l.reason == nil {
		l.reason = reason
	}
	l.cancel()
	if l.conn != nil {
		_ = l.conn.Close() // it is of no use any more
	}
}

// expire looks at the oldest request when its time may be over.
func (l *Link) expire() {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.timer == nil:
	case l.calls.n == 0:
		l.timer = nil
	default:
		left := l.o.Timeout - time.Since(l.calls.oldest().sent)
		if left <= 0 {
			l.timer = nil
			l.giveUp(ErrTimeout)
			return
		}
		l.timer.Reset(left)
	}
}

// Waiting is how many requests wait for an answer.
func (l *Link) Waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.calls.n
}

// Connected tells whether there is a connection.
func (l *Link) Connected() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state == open
}

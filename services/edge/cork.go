package edge

import (
	"net"
	"runtime"
	"sync"
	"time"
)

// A cork gathers what an HTTP/2 connection writes and sends it on when nobody
// else has something to do.
//
// net/http's HTTP/2 server flushes as soon as it has nothing queued, and a
// handler's head and body come to its queue one after the other: two system
// calls for every answer, which were most of its CPU. The cork lets every
// goroutine that is ready run first, so that the frames of all of them leave by
// one call. When nothing else is ready, which is whenever the load is low, it
// sends at once.
//
// Writes are bounded: past maxCorked bytes they wait.
type cork struct {
	conn  net.Conn
	limit time.Duration // for the client to take what is sent
	wake  chan struct{} // of capacity 1: there is something to send
	done  chan struct{} // run has returned

	mu     sync.Mutex // guards all below
	room   sync.Cond  // something was sent, or never will be
	buf    []byte
	spare  []byte
	err    error
	closed bool
	by     time.Time // deadline as set
}

const maxCorked = 256 << 10

func newCork(c net.Conn, limit time.Duration) *cork {
	k := &cork{conn: c, limit: limit, wake: make(chan struct{}, 1), done: make(chan struct{})}
	k.room.L = &k.mu
	go k.run()
	return k
}

// Write takes bytes to be sent soon. The error is that of an earlier one.
func (k *cork) Write(p []byte) (int, error) {
	k.mu.Lock()
	for len(k.buf) > maxCorked && k.err == nil && !k.closed {
		k.room.Wait()
	}
	if k.closed && k.err == nil {
		k.err = net.ErrClosed
	}
	if k.err != nil {
		defer k.mu.Unlock()
		return 0, k.err
	}
	first := len(k.buf) == 0
	k.buf = append(k.buf, p...)
	k.mu.Unlock()
	if first {
		k.signal()
	}
	return len(p), nil
}

func (k *cork) signal() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

func (k *cork) run() {
	defer close(k.done)
	for range k.wake {
		runtime.Gosched()
		if !k.send() {
			return
		}
	}
}

// send sends what is there. It returns false when that was the last time.
func (k *cork) send() bool {
	k.mu.Lock()
	out, closed := k.buf, k.closed
	k.buf, k.spare = k.spare[:0], nil
	now := time.Now()
	if k.by.Before(now.Add(k.limit / 2)) {
		k.by = now.Add(k.limit)
		_ = k.conn.SetWriteDeadline(k.by) // fails only on a closed connection, which the write tells
	}
	k.mu.Unlock()
	var err error
	if len(out) > 0 {
		_, err = k.conn.Write(out)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if cap(out) <= maxCorked {
		k.spare = out[:0]
	}
	k.err = err
	k.room.Broadcast()
	return err == nil && !closed
}

// lastWrite is how long a client has to take what is left at the close.
const lastWrite = 500 * time.Millisecond

// Close sends what is left and closes the connection. Whoever does not take the
// rest soon does not get it.
func (k *cork) Close() error {
	k.mu.Lock()
	k.closed = true
	_ = k.conn.SetWriteDeadline(time.Now().Add(lastWrite)) // as in send
	k.by = time.Now().Add(2 * k.limit)
	k.mu.Unlock()
	k.signal()
	<-k.done
	return k.conn.Close()
}

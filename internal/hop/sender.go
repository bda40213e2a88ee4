package hop

import (
	"io"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// A sender copies a request body to the replica beside the exchange, which
// reads the answer meanwhile.
type sender struct {
	step     atomic.Int32 // what it is about: one of the steps
	done     chan struct{}
	complete bool  // all was sent; set before done is closed
	err      error // of the client's side; set before done is closed
}

// The steps of a sender.
const (
	waiting = iota // for the client
	writing        // to the replica
	ending         // the same, and it is the last time
)

// lastStep is how long a sender that is ending may go on when the answer is
// complete. That it has not ended is most often only that nobody let it run.
const lastStep = 100 * time.Millisecond

// chunkRoom is kept free before a piece for the size line of its chunk, and
// after it for the line's end.
const chunkRoom = 18

// pieces are buffers of bodies on their way.
var pieces = sync.Pool{New: func() any { return new([32 << 10]byte) }}

func (x *Exchange) startSender() {
	s := &sender{done: make(chan struct{})}
	x.sender = s
	go s.run(x.conn, x.Body, x.Chunked, x.replica.options.Idle)
}

// finished tells whether the body was sent to its end. The answer can overtake
// the news of that.
func (s *sender) finished() bool {
	select {
	case <-s.done:
		return s.complete
	default:
	}
	if s.step.Load() != ending {
		return false
	}
	select {
	case <-s.done:
		return s.complete
	case <-time.After(lastStep):
		return false
	}
}

// stopSender ends the sender and returns what was wrong with the client's body.
// What a body says that was stopped is our own doing and nobody's fault.
func (x *Exchange) stopSender() error {
	s := x.sender
	if s == nil {
		return nil
	}
	select {
	case <-s.done:
	default:
		x.Body.Stop()
		<-s.done
		return nil
	}
	if s.err != nil {
		return &BodyError{s.err}
	}
	return nil
}

func (s *sender) run(c *conn, body Source, chunked bool, idle time.Duration) {
	s.complete, s.err = s.copy(c, body, chunked, idle)
	close(s.done)
	if s.err != nil {
		// A body cut short must not look complete. Whoever finds the connection
		// closed by this must find the reason, too, so it was told before.
		c.Close()
	}
}

// copy returns whether all was sent, and what was wrong on the client's side.
func (s *sender) copy(c *conn, body Source, chunked bool, idle time.Duration) (complete bool, err error) {
	buf, _ := pieces.Get().(*[32 << 10]byte)
	defer pieces.Put(buf)
	for {
		room := buf[chunkRoom : len(buf)-chunkRoom]
		s.step.Store(waiting)
		n, err := body.Read(room)
		if err == io.EOF {
			s.step.Store(ending)
		} else {
			s.step.Store(writing)
		}
		if n > 0 {
			piece := room[:n]
			if chunked {
				piece = frame(buf[:], n)
			}
			if s.write(c, piece, idle) != nil {
				return false, nil // the replica may have answered already; reading tells
			}
		}
		switch {
		case err == io.EOF:
			return !chunked || s.write(c, lastChunk(body), idle) == nil, nil
		case err != nil:
			return false, err
		}
	}
}

func (s *sender) write(c *conn, b []byte, idle time.Duration) error {
	if err := c.limitWrites(idle); err != nil {
		return err
	}
	_, err := c.Write(b)
	return err
}

// frame puts size and line ends around the n bytes at buf[chunkRoom:].
func frame(buf []byte, n int) []byte {
	var size [chunkRoom]byte
	line := append(strconv.AppendInt(size[:0], int64(n), 16), '\r', '\n')
	start := chunkRoom - len(line)
	copy(buf[start:], line)
	end := chunkRoom + n
	buf[end], buf[end+1] = '\r', '\n'
	return buf[start : end+2]
}

// lastChunk ends a chunked body, with its trailers.
func lastChunk(body Source) []byte {
	last := []byte("0\r\n")
	for _, field := range body.Trailers() {
		last = append(last, field.Name...)
		last = append(last, ':', ' ')
		last = append(last, field.Value...)
		last = append(last, '\r', '\n')
	}
	return append(last, '\r', '\n')
}

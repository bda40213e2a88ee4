package session

import (
	"context"
	"errors"
	"net"
	"runtime"
	"sync"
	"time"

	"github.com/flotilla-dev/flotilla/ambassadors/memcacheshard/link"
	"github.com/flotilla-dev/flotilla/ambassadors/memcacheshard/pool"
	"github.com/flotilla-dev/flotilla/ambassadors/memcacheshard/wire"
	"github.com/flotilla-dev/flotilla/internal/tcpserve"
)

// Options of all sessions of a pool.
type Options struct {
	Pool         *pool.Pool
	Limits       wire.Limits
	Pipeline     int           // commands of a client without an answer
	WriteTimeout time.Duration // for a client to take an answer
	DownIsMiss   bool          // of a key whose shard cannot be asked: answer that there is nothing
	FlushAll     bool          // clients may empty all shards
	Memory       *Memory
	Metrics      *Metrics
	Stats        func() []Stat // of the command stats
}

// Session is the conversation with one client. The goroutine that calls Serve
// reads commands and sends them to links; the goroutines of the links bring the
// answers, and write them when they are in order.
type Session struct {
	o       *Options
	conn    tcpserve.Direct
	number  uint64 // of the client
	in      *wire.Commands
	counted int          // bytes of in that o.Memory knows of
	touched []*link.Link // have requests that are not written yet
	now     time.Time    // when the present commands came
	verbs   [wire.Verbs]uint32
	ended   bool // the reading goroutine has seen that the client is gone

	mu      sync.Mutex // guards all below
	slots   slots
	out     []byte // answers in their order
	spare   []byte
	held    int // bytes of all answers that the client has not taken
	typical int // bytes of an answer, by those that have come
	writing bool
	dirty   bool // somebody is to flush
	gone    bool // the client takes no answers any more
	waiting bool
	changed sync.Cond
	writers sync.WaitGroup
}

// New returns a session with a client. number is different for all clients.
func New(o *Options, conn net.Conn, number uint64) *Session {
	s := &Session{o: o, conn: tcpserve.NewDirect(conn), number: number, in: wire.NewCommands(o.Limits), typical: cautious}
	s.changed.L = &s.mu
	return s
}

// Serve reads commands until the client leaves or ctx ends, and returns when all
// are answered.
func (s *Session) Serve(ctx context.Context) {
	defer tcpserve.Finish(ctx, s.conn)()
	defer s.leave()
	for {
		if _, err := s.in.Fill(s.conn); err != nil {
			return
		}
		if err := s.take(ctx); err != nil {
			return
		}
	}
}

// Why a session ends: on its client's wish, or because that is gone.
var (
	errQuit = errors.New("quit")
	errGone = errors.New("gone")
)

// take handles the commands that have come, and sends what they ask of servers.
func (s *Session) take(ctx context.Context) error {
	s.now = time.Now()
	for {
		cmd, ok, err := s.in.Next()
		if err == nil && !ok {
			break
		}
		if err == nil {
			err = s.handle(&cmd)
			if err == nil && s.ended {
				err = errGone
			}
		} else {
			s.o.Metrics.refused("protocol")
			s.say(&wire.Command{}, err.Error())
		}
		if err != nil {
			s.send()
			return err
		}
	}
	// Others that are ready to run may have more for the same write.
	runtime.Gosched()
	s.send()
	s.o.Metrics.commands(&s.verbs)
	return s.account(ctx)
}

// send writes what was queued for servers, and what is answered already.
func (s *Session) send() {
	for i, l := range s.touched {
		l.Flush()
		s.touched[i] = nil
	}
	s.touched = s.touched[:0]
	s.Flush()
}

// account counts the memory of commands that are larger than usual, and waits
// while all clients together hold too much.
func (s *Session) account(ctx context.Context) error {
	if n := max(s.in.Buffered()-usual, 0); n != s.counted {
		s.o.Memory.add(n - s.counted)
		s.counted = n
		return s.o.Memory.wait(ctx)
	}
	return nil
}

// usual is how large a buffer for commands is that is not counted.
const usual = 16 << 10

// open makes a slot for a command, and returns with mu held. It waits while there
// are too many, or too many answers that the client does not take.
func (s *Session) open(cmd *wire.Command) (uint64, *slot) {
	s.mu.Lock()
	if s.full() {
		s.mu.Unlock()
		s.send()
		s.mu.Lock()
		for s.full() && !s.gone {
			s.await()
		}
	}
	s.ended = s.gone
	seq, slot := s.slots.push()
	slot.verb, slot.quiet = cmd.Verb, cmd.Quiet
	return seq, slot
}

func (s *Session) full() bool {
	return s.slots.n >= s.o.Pipeline || s.held > softLimit || s.slots.n > 0 && s.slots.n*s.typical > window
}

const (
	// softLimit is from how many bytes of unread answers on no more commands of a
	// client are read.
	softLimit = 256 << 10
	// window is how many bytes of answers a client may have under way, as far as one
	// can tell by those that have come, so that a pipeline of large values does not
	// fill the connection that all share. It begins as if they were cautious.
	window   = 4 << 20
	cautious = 64 << 10
)

func (s *Session) await() {
	s.waiting = true
	s.changed.Wait()
	s.waiting = false
}

func (s *Session) wake() {
	if s.waiting {
		s.changed.Signal()
	}
}

// leave waits until everything is answered, which the time-outs of servers bound,
// and written, while the client takes it.
func (s *Session) leave() {
	s.o.Metrics.commands(&s.verbs)
	s.mu.Lock()
	for s.slots.n > 0 || !s.gone && (s.writing || len(s.out) > 0) {
		s.await()
	}
	s.gone = true
	s.mu.Unlock()
	s.writers.Wait()
	s.o.Memory.add(-s.counted)
	s.mu.Lock()
	s.hold(-s.held)
	s.mu.Unlock()
}

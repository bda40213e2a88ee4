package session

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"github.com/flotilla-dev/flotilla/ambassadors/redisshard/link"
	"github.com/flotilla-dev/flotilla/ambassadors/redisshard/pool"
	"github.com/flotilla-dev/flotilla/ambassadors/redisshard/resp"
	"github.com/flotilla-dev/flotilla/internal/faults"
	"github.com/flotilla-dev/flotilla/internal/tcpserve"
)

// Options are the same for all clients of a pool.
type Options struct {
	Pool *pool.Pool
	// Password is what clients have to give; "" for nothing. It is asked for at
	// every login.
	Password func() (string, error)

	MaxCommand   int           // bytes
	MaxPipeline  int           // requests in flight
	MaxReplies   int           // bytes of replies that the client has not taken
	Memory       *Memory       // of all clients
	WriteTimeout time.Duration // for a client to take a piece of its replies

	Faults  *faults.Set // nil: none
	Log     *slog.Logger
	Metrics *Metrics
}

// session is a client. All fields belong to the goroutine that reads.
type session struct {
	o       *Options
	id      uint64
	conn    net.Conn
	in      *resp.Commands
	replies *replies
	path    string        // of the pool, for faults
	now     time.Duration // when the present commands were read

	version    int // of the protocol
	authorised bool
	name       string
	tx         transaction
	quit       bool
	buffer     []byte // for commands in parts
}

var ids atomic.Uint64

// Serve serves a client until it leaves, or until ctx ends; what was read by
// then is answered.
func Serve(ctx context.Context, conn net.Conn, o *Options) {
	direct := tcpserve.NewDirect(conn)
	s := &session{o: o, id: ids.Add(1), conn: direct, in: resp.NewCommands(o.MaxCommand), version: 2}
	s.path = "/" + o.Pool.Name()
	s.replies = newReplies(direct, o)
	s.authorised = !s.needsPassword()
	defer s.replies.close()
	defer s.forget()
	defer tcpserve.Finish(ctx, conn)()
	if s.read(ctx) {
		s.replies.wait()
	}
}

// read reads commands until there are no more. It returns true when the client
// is owed its replies.
func (s *session) read(ctx context.Context) bool {
	held := 0 // of Memory
	defer func() { s.o.Memory.add(-held) }()
	for !s.quit {
		_, err := s.in.Fill(s.conn)
		s.now = link.Now()
		flaw := s.commands(ctx)
		switch {
		case flaw != nil:
			return s.malformed(flaw)
		case err != nil:
			// io.EOF of a client that closed its direction, or the end of ctx.
			return errors.Is(err, io.EOF) || ctx.Err() != nil
		}
		held = s.account(held)
		if !s.o.Memory.wait(ctx, held > 0) {
			s.o.Metrics.cut("commands")
			return false
		}
	}
	return true
}

// account counts what has grown beyond what every client has: a large command,
// or a transaction.
func (s *session) account(held int) int {
	now := s.in.Buffered() + cap(s.tx.commands)
	if now <= maxChunk {
		now = 0
	}
	s.o.Memory.add(now - held)
	return now
}

// commands handles the commands that have come completely.
func (s *session) commands(ctx context.Context) error {
	for !s.quit {
		cmd, ok, err := s.in.Next()
		if err != nil || !ok {
			s.replies.Flush()
			return err
		}
		s.handle(ctx, cmd)
	}
	return nil
}

// malformed tells the client what is wrong with what it sent, after the replies
// that it is owed.
func (s *session) malformed(err error) bool {
	s.o.Metrics.refused("protocol")
	s.say(resp.AppendError(nil, "ERR "+err.Error()))
	return true
}

// say answers a command without a shard.
func (s *session) say(reply []byte) {
	if seq, ok := s.replies.reserve(nil); ok {
		s.replies.Answer(link.Token{Seq: seq}, reply)
	} else {
		s.quit = true
	}
}

func (s *session) fail(text string) {
	s.say(resp.AppendError(nil, text))
}

// refuse answers with an error and counts it. An EXEC that follows fails, too.
func (s *session) refuse(reason, text string) {
	if s.tx.open && s.tx.spoilt == "" {
		s.tx.spoilt = text
	}
	s.o.Metrics.refused(reason)
	s.fail(text)
}

// forget gives back what the session has borrowed.
func (s *session) forget() { s.dropWatch(false) }

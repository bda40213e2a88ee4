package session

import (
	"errors"
	"fmt"
	"slices"

	"github.com/flotilla-dev/flotilla/ambassadors/memcacheshard/link"
	"github.com/flotilla-dev/flotilla/ambassadors/memcacheshard/wire"
)

// Version is what version answers: the memcached whose protocol is spoken.
const Version = "1.6.18"

// Stat is a line of the answer to stats.
type Stat struct{ Name, Value string }

// handle sends a command where it belongs, or answers it. An error ends the
// session.
func (s *Session) handle(cmd *wire.Command) error {
	s.verbs[cmd.Verb]++
	switch cmd.Verb {
	case wire.Retrieve:
		if len(cmd.Keys) > 1 {
			s.gather(cmd)
			return nil
		}
		s.one(cmd)
	case wire.Store, wire.Change, wire.MetaGet, wire.MetaStore, wire.MetaDelete, wire.MetaArithmetic, wire.MetaDebug:
		s.one(cmd)
	case wire.MetaNoop:
		s.say(cmd, "MN") // it stands behind the answers of all before it
	case wire.FlushAll:
		s.flushAll(cmd)
	case wire.Version:
		s.say(cmd, "VERSION "+Version)
	case wire.Verbosity:
		s.say(cmd, "OK")
	case wire.Stats:
		s.stats(cmd)
	case wire.Quit:
		return errQuit
	case wire.Refused:
		s.refuse(cmd)
	}
	return nil
}

// say answers a command without asking anybody.
func (s *Session) say(cmd *wire.Command, text string) {
	seq, slot := s.open(cmd)
	s.answer(seq, slot, []byte(text+"\r\n"))
	s.mu.Unlock()
}

// refuse answers a command that no server would do. A value that is too large
// takes the one before it with it, as in memcached: nobody must find that.
func (s *Session) refuse(cmd *wire.Command) {
	s.o.Metrics.refused("client")
	if cmd.Key != nil {
		if sh := s.o.Pool.Pick(cmd.Key); sh != nil {
			for _, r := range sh.Replicas() {
				s.forget(r, cmd.Key)
			}
		}
	}
	s.say(cmd, cmd.Refusal)
}

// noShard is the answer while all shards are ejected.
const noShard = "SERVER_ERROR no shard is live"

// one sends a command with one key to the shard of the key.
func (s *Session) one(cmd *wire.Command) {
	sh := s.o.Pool.Pick(cmd.Key)
	if sh == nil {
		s.o.Metrics.refused("noshard")
		if s.o.DownIsMiss && cmd.Verb == wire.Retrieve {
			s.say(cmd, "END")
			return
		}
		s.say(cmd, noShard)
		return
	}
	only := sh.Only()
	if only == nil {
		s.replicated(cmd, sh)
		return
	}
	seq, slot := s.open(cmd)
	slot.shard = sh
	if s.o.DownIsMiss && cmd.Verb == wire.MetaGet {
		slot.text = cmd.AppendMiss(slot.text)
	}
	s.mu.Unlock()
	token := link.Token{Seq: seq}
	if err := s.dispatch(only.Link(s.number), cmd.Line, cmd.Data, token); err != nil {
		s.Fail(token, err)
	}
}

// dispatch queues a request, and waits where the link has no room. It is for the
// goroutine that reads from the client.
func (s *Session) dispatch(l *link.Link, head, tail []byte, t link.Token) error {
	err := l.Send(s.now, head, tail, link.Call{To: s, Token: t})
	for errors.Is(err, link.ErrBusy) { // others may take the room that there was
		s.send()
		l.Room()
		err = l.Send(s.now, head, tail, link.Call{To: s, Token: t})
	}
	if err == nil && !slices.Contains(s.touched, l) {
		s.touched = append(s.touched, l)
	}
	return err
}

// stats answers of the router itself: the servers behind it each have their own.
func (s *Session) stats(cmd *wire.Command) {
	if len(cmd.Args) > 0 {
		s.say(cmd, "ERROR")
		return
	}
	var text []byte
	for _, stat := range s.o.Stats() {
		text = fmt.Appendf(text, "STAT %s %s\r\n", stat.Name, stat.Value)
	}
	s.say(cmd, string(text)+"END")
}

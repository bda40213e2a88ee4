package session

import (
	"bytes"

	"github.com/flotilla-dev/flotilla/ambassadors/memcacheshard/link"
	"github.com/flotilla-dev/flotilla/ambassadors/memcacheshard/shard"
	"github.com/flotilla-dev/flotilla/ambassadors/memcacheshard/wire"
)

// emptying is a flush_all on every server of every shard. The answer is OK when
// all said so.
type emptying struct {
	servers []*shard.Replica
	names   []string // of their shards
	left    int
	flaw    []byte
}

// flushAll empties all shards, where that is allowed.
func (s *Session) flushAll(cmd *wire.Command) {
	if !s.o.FlushAll {
		s.o.Metrics.refused("client")
		s.say(cmd, "CLIENT_ERROR flush_all not allowed")
		return
	}
	e := &emptying{}
	for _, sh := range s.o.Pool.Shards() {
		for _, r := range sh.Replicas() {
			e.servers, e.names = append(e.servers, r), append(e.names, sh.Name())
		}
	}
	line := []byte("flush_all")
	for _, arg := range cmd.Args {
		line = append(append(line, ' '), arg...)
	}
	line = append(line, "\r\n"...)
	seq, slot := s.open(cmd)
	slot.plan, e.left = e, len(e.servers)
	s.mu.Unlock()
	for i, r := range e.servers {
		s.begin(r, line, nil, link.Token{Seq: seq, Part: int32(i)})
	}
}

func (e *emptying) answered(_ *Session, n int32, text []byte) bool {
	if !bytes.HasPrefix(text, []byte("OK")) {
		e.flaw = bytes.Clone(text)
		e.servers[n].MissedAll(link.ErrAnswer)
	}
	e.left--
	return e.left == 0
}

func (e *emptying) failed(_ *Session, n int32, err error) bool {
	e.flaw = serverError(e.names[n], err)
	e.servers[n].MissedAll(err)
	e.left--
	return e.left == 0
}

func (e *emptying) result() []byte {
	if e.flaw != nil {
		return e.flaw
	}
	return []byte("OK\r\n")
}

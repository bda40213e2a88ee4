package session

import (
	"bytes"

	"github.com/flotilla-dev/flotilla/ambassadors/memcacheshard/link"
	"github.com/flotilla-dev/flotilla/ambassadors/memcacheshard/shard"
	"github.com/flotilla-dev/flotilla/ambassadors/memcacheshard/wire"
)

// gather is a retrieval of several keys, whose values come from several shards,
// or a read of a shard that has replicas.
type gather struct {
	seq   uint64
	parts []part
	left  int    // of parts
	held  int    // bytes of their answers
	miss  []byte // the answer of a part whose shard is down; nil: that is a failure
	flaw  []byte // the answer, when a part has failed

	values bool // the parts are lists of values, to be joined
	echo   bool // the request changes what it reads, and so goes to the other replicas too
}

// part is a request to one shard.
type part struct {
	shard *shard.Shard
	start int              // of the order of replicas
	order []*shard.Replica // to be asked; the first one was
	line  []byte
	text  []byte // the answer
}

// maxPart is how long the line of a part may be: memcached closes a connection on
// a longer one of gat.
const maxPart = 2000

var end = []byte("END\r\n")

// gather splits a retrieval by shards.
func (s *Session) gather(cmd *wire.Command) {
	g := &gather{values: true, echo: cmd.Name[1] == 'a'}
	if s.o.DownIsMiss {
		g.miss = end
	}
	type place struct {
		*shard.Shard
		start int
	}
	open := map[place]int{} // its part that takes more keys
	for _, key := range cmd.Keys {
		sh := s.o.Pool.Pick(key)
		if sh == nil {
			g.noShard(s)
			continue
		}
		id := place{sh, sh.Start(key)}
		at, known := open[id]
		if !known || len(g.parts[at].line)+len(key) > maxPart {
			at = len(g.parts)
			open[id] = at
			g.parts = append(g.parts, part{shard: sh, start: id.start, line: append([]byte(nil), cmd.Head...)})
		}
		p := &g.parts[at]
		p.line = append(append(p.line, key...), ' ')
	}
	for i := range g.parts {
		p := &g.parts[i]
		p.line = append(p.line[:len(p.line)-1], "\r\n"...)
	}
	s.fetch(cmd, g)
}

func (g *gather) noShard(s *Session) {
	s.o.Metrics.refused("noshard")
	if g.miss == nil {
		g.flaw = []byte(noShard + "\r\n")
	}
}

// read asks a shard with replicas for one key.
func (s *Session) read(cmd *wire.Command, sh *shard.Shard) {
	g := &gather{
		values: cmd.Verb == wire.Retrieve,
		echo:   cmd.Verb == wire.Retrieve && cmd.Name[1] == 'a' || cmd.Verb == wire.MetaGet && cmd.Flags.Has("T") && !cmd.Flags.Has("NR"),
		parts:  []part{{shard: sh, start: sh.Start(cmd.Key), line: bytes.Clone(cmd.Line)}},
	}
	if s.o.DownIsMiss {
		g.miss = end
		if cmd.Verb == wire.MetaGet {
			g.miss = cmd.AppendMiss(nil)
		}
	}
	s.fetch(cmd, g)
}

// fetch asks for all parts.
func (s *Session) fetch(cmd *wire.Command, g *gather) {
	seq, slot := s.open(cmd)
	g.seq, g.left = seq, len(g.parts)
	slot.plan = g
	if g.left == 0 {
		s.answer(seq, slot, g.result())
		s.mu.Unlock()
		return
	}
	first := make([]*shard.Replica, len(g.parts))
	for i := range g.parts {
		p := &g.parts[i]
		if p.order = p.shard.Order(p.start); len(p.order) > 0 {
			first[i] = p.order[0]
		}
	}
	s.mu.Unlock()
	for i, r := range first { // the parts are the links' from here on, but for their lines
		t := link.Token{Seq: seq, Part: int32(i)}
		if r == nil {
			s.Fail(t, link.ErrDown)
			continue
		}
		s.begin(r, g.parts[i].line, nil, t)
	}
}

func (g *gather) answered(s *Session, n int32, text []byte) bool {
	p := &g.parts[n]
	switch {
	case text == nil:
		g.fail(p, errTooLarge)
	case g.values && text[0] != 'V' && !bytes.HasPrefix(text, end):
		g.flaw = bytes.Clone(text) // an error of the server
	default:
		p.text = bytes.Clone(text)
		g.held += len(text)
		s.hold(len(text))
		p.order[0].Meter().Looked(text[0] == 'V' || text[0] == 'H')
	}
	if g.echo && g.flaw == nil {
		for _, r := range p.order[1:] {
			// Where it does not arrive, the expiry is the old one: no stale value.
			_ = send(r.Link(s.number), p.line, nil, link.Call{})
		}
	}
	return g.over(s)
}

// over counts parts that are over.
func (g *gather) over(s *Session) bool {
	if g.left--; g.left > 0 {
		return false
	}
	s.hold(-g.held) // the result is counted from here on
	return true
}

func (g *gather) failed(s *Session, n int32, err error) bool {
	p := &g.parts[n]
	for len(p.order) > 1 {
		p.order = p.order[1:]
		s.o.Metrics.failovers.Inc()
		if err = s.follow(p.order[0], p.line, nil, link.Token{Seq: g.seq, Part: n}); err == nil {
			return false
		}
	}
	g.fail(p, err)
	return g.over(s)
}

func (g *gather) fail(p *part, err error) {
	if g.miss != nil {
		p.text = g.miss
		return
	}
	g.flaw = serverError(p.shard.Name(), err)
}

func (g *gather) result() []byte {
	if g.flaw != nil {
		return g.flaw
	}
	if !g.values {
		return g.parts[0].text
	}
	var all []byte
	for _, p := range g.parts {
		all = append(all, bytes.TrimSuffix(p.text, end)...)
	}
	return append(all, end...)
}

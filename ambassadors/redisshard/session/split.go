package session

import (
	"github.com/flotilla-dev/flotilla/ambassadors/redisshard/command"
	"github.com/flotilla-dev/flotilla/ambassadors/redisshard/link"
	"github.com/flotilla-dev/flotilla/ambassadors/redisshard/resp"
	"github.com/flotilla-dev/flotilla/ambassadors/redisshard/shard"
)

// part is the part of a request that one shard gets.
type part struct {
	to   *shard.Shard
	args [][]byte
}

// split sends the parts of a command with keys on several shards.
func (s *session) split(spec *command.Spec, keys command.Keys, args [][]byte) {
	var parts []part
	var of []int
	for i := keys.First; i <= keys.Last; i += keys.Step {
		to := s.o.Pool.Pick(args[i])
		if to == nil {
			s.noShard()
			return
		}
		at := indexOf(parts, to)
		if at == len(parts) {
			parts = append(parts, part{to, [][]byte{args[0]}})
		}
		parts[at].args = append(parts[at].args, args[i:i+keys.Step]...)
		if spec.Kind == command.Values {
			of = append(of, at)
		}
	}
	m := &merge{left: len(parts)}
	switch spec.Kind {
	case command.Values:
		m.with = &values{parts: make([][]byte, len(parts)), of: of}
	case command.Count:
		m.with = new(sum)
	default:
		m.with = new(first)
	}
	for i := range parts {
		parts[i].to = s.asked(spec, parts[i].to)
	}
	s.sendParts(m, parts)
}

func indexOf(parts []part, to *shard.Shard) int {
	for i := range parts {
		if parts[i].to == to {
			return i
		}
	}
	return len(parts)
}

func (s *session) sendParts(m *merge, parts []part) {
	seq, ok := s.replies.reserve(m)
	if !ok {
		s.quit = true
		return
	}
	for i, p := range parts {
		s.buffer = resp.AppendCommand(s.buffer[:0], p.args...)
		request := link.Request{To: s.replies, Token: link.Token{Seq: seq, Part: i}}
		if failure := p.to.Send(s.version, s.id, s.now, s.buffer, request); failure != nil {
			s.replies.Answer(request.Token, failure)
		}
	}
	if cap(s.buffer) > maxChunk {
		s.buffer = nil
	}
}

// script sends SCRIPT LOAD and the like to all shards that are live: each may be
// asked to run the script. One that comes back later does not have it, and says
// NOSCRIPT, as after a restart.
func (s *session) script(cmd resp.Command) {
	m := &merge{with: new(first)}
	switch {
	case len(cmd.Args) < 2:
		s.refuse("arguments", "ERR wrong number of arguments for 'script' command")
		return
	case is(cmd.Args[1], "EXISTS"):
		m.with = new(every)
	case !is(cmd.Args[1], "LOAD") && !is(cmd.Args[1], "FLUSH"):
		s.refuse("unsupported", "ERR SCRIPT is supported with LOAD, EXISTS and FLUSH only")
		return
	}
	var parts []part
	for _, to := range s.o.Pool.Live() {
		parts = append(parts, part{to, cmd.Args})
	}
	if m.left = len(parts); m.left == 0 {
		s.noShard()
		return
	}
	s.sendParts(m, parts)
}

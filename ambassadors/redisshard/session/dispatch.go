package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/flotilla-dev/flotilla/ambassadors/redisshard/command"
	"github.com/flotilla-dev/flotilla/ambassadors/redisshard/link"
	"github.com/flotilla-dev/flotilla/ambassadors/redisshard/resp"
	"github.com/flotilla-dev/flotilla/ambassadors/redisshard/shard"
)

// handle answers a command, or sends it.
func (s *session) handle(ctx context.Context, cmd resp.Command) {
	spec := command.Find(cmd.Args[0])
	switch {
	case spec == nil:
		s.unknown(cmd.Args[0])
	case s.misbehave(ctx, spec):
	case !s.authorised && !withoutPassword(spec.Name):
		s.refuse("auth", "NOAUTH Authentication required.")
	case spec.Kind == command.Refused:
		s.refuse("unsupported", fmt.Sprintf("ERR %s is not supported: %s", spec.Name, spec.Reason))
	case spec.Kind == command.Session:
		s.transact(spec, cmd)
	case s.tx.open && spec.Name != "QUIT" && spec.Name != "RESET":
		s.enqueue(spec, cmd)
	case spec.Kind == command.Local:
		s.local(spec.Name, cmd.Args)
	case spec.Kind == command.Any:
		s.anywhere(cmd)
	case spec.Kind == command.Script:
		s.script(cmd)
	default:
		s.keyed(spec, cmd)
	}
}

// unknown is said of a command that is not in the table. A browser that was
// lured into talking to this port is cut off, as Redis does it.
func (s *session) unknown(name []byte) {
	if bytes.EqualFold(name, []byte("POST")) || bytes.EqualFold(name, []byte("HOST:")) {
		s.o.Log.Warn("a client that speaks HTTP was cut off", "client", s.conn.RemoteAddr().String())
		s.o.Metrics.refused("protocol")
		s.quit = true
		return
	}
	s.refuse("unknown", fmt.Sprintf("ERR unknown command '%s': redisshard does not know where its keys are", printable(name)))
}

// printable is what is repeated of a client's words.
func printable(name []byte) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '.'
		}
		return r
	}, string(name[:min(len(name), 64)]))
}

// keyed sends a command to the shard of its keys, or its parts to their shards.
func (s *session) keyed(spec *command.Spec, cmd resp.Command) {
	keys, err := spec.Keys(cmd.Args)
	if err != nil {
		s.wrong(err)
		return
	}
	if keys.First == keys.Last && keys.Extra == 0 {
		if to := s.o.Pool.Pick(cmd.Args[keys.First]); to == nil {
			s.noShard()
		} else {
			s.send(to, s.asked(spec, to), cmd.Raw)
		}
		return
	}
	to, same := s.shardOf(keys, cmd.Args)
	switch {
	case to == nil:
		s.noShard()
	case same:
		s.send(to, s.asked(spec, to), cmd.Raw)
	case spec.Kind == command.Keyed:
		s.refuse("crossshard", crossShard(spec.Name))
	default:
		s.split(spec, keys, cmd.Args)
	}
}

// wrong answers a mistake in the arguments of a command.
func (s *session) wrong(err error) {
	var text command.Error
	errors.As(err, &text)
	s.refuse("arguments", string(text))
}

func crossShard(name string) string {
	return "CROSSSLOT the keys of " + name + " belong to different shards: give them a common hash tag"
}

func (s *session) noShard() {
	s.refuse("noshard", "ERR all shards have failed and are left out for a while: no shard is there for the key")
}

// shardOf returns the shard of the first key, nil where there is none, and
// whether all keys belong to it.
func (s *session) shardOf(keys command.Keys, args [][]byte) (to *shard.Shard, same bool) {
	to = s.o.Pool.Pick(args[keys.First])
	for i := keys.First + keys.Step; i <= keys.Last; i += keys.Step {
		if s.o.Pool.Pick(args[i]) != to {
			return to, false
		}
	}
	return to, keys.Extra == 0 || s.o.Pool.Pick(args[keys.Extra]) == to
}

// asked is the server that a command goes to: for reads it may be a replica.
func (s *session) asked(spec *command.Spec, to *shard.Shard) *shard.Shard {
	if spec.Write {
		return to
	}
	return to.Reader(s.id, s.now)
}

// anywhere sends a command without a key.
func (s *session) anywhere(cmd resp.Command) {
	to := s.o.Pool.Pick(nil)
	if to == nil {
		s.noShard()
		return
	}
	s.send(to, to, cmd.Raw)
}

// send sends a request to a shard, or to the server that is asked in its place.
func (s *session) send(to, asked *shard.Shard, raw []byte) {
	seq, ok := s.replies.reserve(nil)
	if !ok {
		s.quit = true
		return
	}
	request := link.Request{To: s.replies, Token: link.Token{Seq: seq}}
	if s.tx.watch != nil && s.tx.watched == to {
		// What is read between WATCH and EXEC must come after the WATCH.
		if err := s.tx.watch.Send(s.now, raw, request); err == nil {
			return
		}
	}
	if failure := asked.Send(s.version, s.id, s.now, raw, request); failure != nil {
		s.replies.Answer(request.Token, failure)
	}
}

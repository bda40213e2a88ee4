package session

import (
	"slices"

	"github.com/flotilla-dev/flotilla/ambassadors/redisshard/command"
	"github.com/flotilla-dev/flotilla/ambassadors/redisshard/link"
	"github.com/flotilla-dev/flotilla/ambassadors/redisshard/resp"
	"github.com/flotilla-dev/flotilla/ambassadors/redisshard/shard"
)

// transaction is what was said since MULTI, and WATCH.
//
// Commands after MULTI are kept here and sent with EXEC in one piece, so that a
// shared connection never is in the middle of somebody's transaction. WATCH is
// state of a connection for longer than that: the session borrows one for
// itself, to the shard of the watched keys, until EXEC or DISCARD.
type transaction struct {
	open     bool
	spoilt   string       // the error of a command that was refused: EXEC will be, too
	to       *shard.Shard // of its keys; nil before the first one
	commands []byte
	n        int // commands

	watch   *link.Link
	watched *shard.Shard
	version int // of watch
}

// maxQueued is how many commands a transaction may have beside what bounds its
// bytes.
const maxQueued = 10_000

func (s *session) transact(spec *command.Spec, cmd resp.Command) {
	switch name := spec.Name; {
	case name != "WATCH" && len(cmd.Args) != 1:
		s.refuse("arguments", "ERR wrong number of arguments for '"+name+"' command")
	case name == "WATCH" && s.tx.open:
		s.fail("ERR WATCH inside MULTI is not allowed")
	case name == "WATCH":
		s.watch(spec, cmd)
	case name == "UNWATCH" && s.tx.open: // of no effect, as in Redis
		s.append(cmd.Raw)
	case name == "UNWATCH":
		s.unwatch()
		s.say(resp.AppendStatus(nil, "OK"))
	case name == "MULTI" && s.tx.open:
		s.fail("ERR MULTI calls can not be nested")
	case name == "MULTI":
		s.tx.open = true
		s.say(resp.AppendStatus(nil, "OK"))
	case !s.tx.open:
		s.fail("ERR " + name + " without MULTI")
	case name == "DISCARD":
		s.endTransaction()
		s.unwatch()
		s.say(resp.AppendStatus(nil, "OK"))
	default:
		s.exec()
	}
}

// enqueue keeps a command of a transaction.
func (s *session) enqueue(spec *command.Spec, cmd resp.Command) {
	switch {
	case spec.Kind == command.Any, spec.Name == "PING", spec.Name == "ECHO":
		s.append(cmd.Raw)
		return
	case spec.Kind == command.Local, spec.Kind == command.Script:
		s.refuse("unsupported", "ERR "+spec.Name+" inside MULTI is not supported")
		return
	}
	keys, err := spec.Keys(cmd.Args)
	if err != nil {
		s.wrong(err)
		return
	}
	to, same := s.shardOf(keys, cmd.Args)
	home := s.tx.to
	if s.tx.watch != nil {
		home = s.tx.watched
	}
	switch {
	case to == nil:
		s.noShard()
	case !same, home != nil && to != home:
		s.refuse("crossshard", crossShard("a transaction"))
	default:
		s.tx.to = to
		s.append(cmd.Raw)
	}
}

func (s *session) append(raw []byte) {
	if s.tx.n >= maxQueued || len(s.tx.commands)+len(raw) > s.o.MaxCommand {
		s.refuse("arguments", "ERR the transaction is too large")
		return
	}
	s.tx.commands = append(s.tx.commands, raw...)
	s.tx.n++
	s.say(resp.AppendStatus(nil, "QUEUED"))
}

func (s *session) exec() {
	tx := s.tx
	s.endTransaction()
	switch {
	case tx.spoilt != "":
		s.unwatch()
		s.fail("EXECABORT Transaction discarded because of: " + tx.spoilt)
		return
	case tx.n == 0 && tx.watch == nil:
		s.say(resp.AppendHeader(nil, '*', 0))
		return
	case tx.watch != nil:
		tx.to = tx.watched
	case tx.to == nil: // commands without a key
		tx.to = s.o.Pool.Pick(nil)
	}
	if tx.to == nil {
		s.noShard()
		return
	}
	seq, ok := s.replies.reserve(&merge{left: tx.n + 2, with: &executed{last: tx.n + 1}})
	if !ok {
		s.quit = true
		return
	}
	requests := make([]link.Request, tx.n+2)
	for i := range requests {
		requests[i] = link.Request{To: s.replies, Token: link.Token{Seq: seq, Part: i}}
	}
	if failure := s.sendTransaction(&tx, requests); failure != nil {
		for _, r := range requests {
			s.replies.Answer(r.Token, failure)
		}
	}
}

func (s *session) sendTransaction(tx *transaction, requests []link.Request) (failure []byte) {
	all := slices.Concat([]byte("*1\r\n$5\r\nMULTI\r\n"), tx.commands, []byte("*1\r\n$4\r\nEXEC\r\n"))
	if tx.watch == nil {
		return tx.to.Send(s.version, s.id, s.now, all, requests...)
	}
	err := tx.watch.Send(s.now, all, requests...)
	s.dropWatch(true) // EXEC has ended it
	if err != nil {
		return tx.to.Failure(err)
	}
	return nil
}

// endTransaction forgets what was said since MULTI.
func (s *session) endTransaction() {
	s.tx = transaction{watch: s.tx.watch, watched: s.tx.watched, version: s.tx.version}
}

func (s *session) watch(spec *command.Spec, cmd resp.Command) {
	keys, err := spec.Keys(cmd.Args)
	if err != nil {
		s.wrong(err)
		return
	}
	to, same := s.shardOf(keys, cmd.Args)
	switch {
	case to == nil:
		s.noShard()
		return
	case !same, s.tx.watch != nil && s.tx.watched != to:
		s.refuse("crossshard", crossShard("WATCH"))
		return
	}
	if s.tx.watch == nil {
		l, failure := to.Borrow(s.version)
		if failure != nil {
			s.say(failure)
			return
		}
		s.tx.watch, s.tx.watched, s.tx.version = l, to, s.version
	}
	seq, ok := s.replies.reserve(nil)
	if !ok {
		s.quit = true
		return
	}
	request := link.Request{To: s.replies, Token: link.Token{Seq: seq}}
	if err := s.tx.watch.Send(s.now, cmd.Raw, request); err != nil {
		s.replies.Answer(request.Token, to.Failure(err))
	}
}

// unwatch ends what WATCH began.
func (s *session) unwatch() {
	if s.tx.watch == nil {
		return
	}
	err := s.tx.watch.Send(s.now, []byte("*1\r\n$7\r\nUNWATCH\r\n"), link.Request{})
	s.dropWatch(err == nil)
}

// dropWatch gives the borrowed link back. It is clean when nothing is watched
// on it any more.
func (s *session) dropWatch(clean bool) {
	if s.tx.watch == nil {
		return
	}
	s.tx.watched.GiveBack(s.tx.watch, s.tx.version, clean)
	s.tx.watch, s.tx.watched = nil, nil
}

package session

import (
	"bytes"

	"github.com/flotilla-dev/flotilla/ambassadors/memcacheshard/link"
	"github.com/flotilla-dev/flotilla/ambassadors/memcacheshard/shard"
	"github.com/flotilla-dev/flotilla/ambassadors/memcacheshard/wire"
)

// spread is a write to a shard with replicas.
//
// A plain write goes to all at once. A write with a condition, whose outcome
// depends on what a server holds, is decided by the first replica that answers;
// when it was done there, the others are told what was done. The client gets the
// answer of the first one when all have answered or failed. A replica that failed
// has missed the write; one that did not do what the first did forgets the key.
type spread struct {
	seq      uint64
	verb     wire.Verb
	shard    *shard.Shard
	key      []byte
	replicas []*shard.Replica // in the key's order
	answers  [][]byte         // of each; nil: none
	failures []error          // of each
	left     int              // requests without an answer
	decider  int              // the replica that is asked first; len(replicas) when there is nothing to decide
	line     []byte           // what it is asked
	effect   []byte           // what the others are told
	data     []byte
}

// replicated sends a command with one key to a shard with replicas.
func (s *Session) replicated(cmd *wire.Command, sh *shard.Shard) {
	if cmd.Verb == wire.Retrieve || cmd.Verb == wire.MetaGet || cmd.Verb == wire.MetaDebug {
		s.read(cmd, sh)
		return
	}
	replicas := sh.Order(sh.Start(cmd.Key))
	w := &spread{
		verb: cmd.Verb, shard: sh, key: bytes.Clone(cmd.Key), replicas: replicas, answers: make([][]byte, len(replicas)), failures: make([]error, len(replicas)),
		line: bytes.Clone(cmd.Line), data: bytes.Clone(cmd.Data),
	}
	effect, conditional := cmd.AppendEffect(nil)
	w.effect = effect
	seq, slot := s.open(cmd)
	w.seq, slot.plan = seq, w
	if conditional {
		w.left = 1
		s.mu.Unlock()
		s.begin(replicas[0], w.line, w.data, link.Token{Seq: seq})
		return
	}
	w.left, w.decider = len(replicas), len(replicas)
	s.mu.Unlock()
	for i, r := range replicas {
		t := link.Token{Seq: seq, Part: int32(i)}
		if i > 0 && !r.Writable() {
			s.Fail(t, link.ErrDown)
			continue
		}
		s.begin(r, w.line, w.data, t)
	}
}

func (w *spread) answered(s *Session, n int32, text []byte) bool {
	if text == nil {
		return w.failed(s, n, errTooLarge)
	}
	w.answers[n] = bytes.Clone(text)
	w.left--
	if int(n) == w.decider && wire.Done(w.verb, text) {
		for i := range w.replicas {
			w.tell(s, i)
		}
	}
	return w.over(s)
}

// tell tells a replica what the decider did.
func (w *spread) tell(s *Session, i int) {
	if i == w.decider || w.failures[i] != nil {
		return
	}
	err := link.ErrDown
	if w.replicas[i].Writable() {
		err = s.follow(w.replicas[i], w.effect, w.data, link.Token{Seq: w.seq, Part: int32(i)})
	}
	if err != nil {
		w.failures[i] = err
		w.replicas[i].Missed(w.key, err)
		return
	}
	w.left++
}

func (w *spread) failed(s *Session, n int32, err error) bool {
	w.failures[n] = err
	w.replicas[n].Missed(w.key, err)
	w.left--
	for int(n) == w.decider && w.decider+1 < len(w.replicas) { // the next one decides
		w.decider++
		n = int32(w.decider)
		s.o.Metrics.failovers.Inc()
		if err := s.follow(w.replicas[n], w.line, w.data, link.Token{Seq: w.seq, Part: n}); err != nil {
			w.failures[n] = err
			w.replicas[n].Missed(w.key, err)
			continue
		}
		w.left++
		return false
	}
	return w.over(s)
}

// over tells whether nothing is left, and makes the replicas agree then.
func (w *spread) over(s *Session) bool {
	if w.left > 0 {
		return false
	}
	first := w.result()
	if !wire.Done(w.verb, first) {
		return true
	}
	for i, answer := range w.answers {
		if answer != nil && !wire.Agree(w.verb, first, answer) {
			s.forget(w.replicas[i], w.key)
		}
	}
	return true
}

// result is the answer of the first replica that gave one.
func (w *spread) result() []byte {
	for _, answer := range w.answers {
		if answer != nil {
			return answer
		}
	}
	return serverError(w.shard.Name(), w.failures[0])
}

package session

import (
	"bytes"

	"github.com/flotilla-dev/flotilla/ambassadors/memcacheshard/link"
	"github.com/flotilla-dev/flotilla/ambassadors/memcacheshard/shard"
	"github.com/flotilla-dev/flotilla/ambassadors/memcacheshard/wire"
)

// spread is a write to a shard with replicas.
//
// The first replica that answers decides it: whether an add, a cas or an incr can
// be done depends on what a server holds. When it was done, the others are told
// what was done, in the order in which the first one did it. The client gets the
// answer of the first when all have answered or failed. A replica that failed has
// missed the write; one that does not agree forgets the key.
type spread struct {
	seq      uint64
	verb     wire.Verb
	shard    *shard.Shard
	key      []byte
	order    []*shard.Replica // that are asked, until one decides
	line     []byte           // what they are asked
	effect   []byte           // what the others are told
	data     []byte
	deletes  bool // the others are to have nothing under the key, also where the first had nothing
	left     int  // requests without an answer
	asked    int  // the present one of order
	answer   []byte
	err      error            // of the last one of order that failed
	others   []*shard.Replica // that were told: parts from told on
	disagree []*shard.Replica
}

// told is the part of the first replica that is told.
const told = 1 << 16

// replicated sends a command with one key to a shard with replicas.
func (s *Session) replicated(cmd *wire.Command, sh *shard.Shard) {
	if cmd.Verb == wire.Retrieve || cmd.Verb == wire.MetaGet || cmd.Verb == wire.MetaDebug {
		s.read(cmd, sh)
		return
	}
	w := &spread{
		verb: cmd.Verb, shard: sh, key: bytes.Clone(cmd.Key), order: sh.Order(sh.Start(cmd.Key)),
		line: bytes.Clone(cmd.Line), effect: cmd.AppendEffect(nil), data: bytes.Clone(cmd.Data), deletes: cmd.Deletes(), left: 1, err: link.ErrDown,
	}
	seq, slot := s.open(cmd)
	w.seq, slot.plan = seq, w
	s.hold(w.size())
	if len(w.order) == 0 {
		w.missed(link.ErrDown)
		s.hold(-w.size())
		s.answer(seq, slot, w.result())
		s.mu.Unlock()
		return
	}
	first := w.order[0]
	s.mu.Unlock()
	s.begin(first, w.line, w.data, link.Token{Seq: seq})
}

// size is what the command takes of memory until it is answered.
func (w *spread) size() int { return len(w.line) + len(w.effect) + len(w.data) }

func (w *spread) answered(s *Session, n int32, text []byte) bool {
	w.left--
	switch {
	case text == nil:
		w.left++
		return w.failed(s, n, errTooLarge)
	case n >= told:
		if !w.deletes && !wire.Agree(w.verb, w.answer, text) {
			w.disagree = append(w.disagree, w.others[n-told])
		}
	default:
		w.answer = bytes.Clone(text)
		switch {
		case wire.Done(w.verb, text), w.deletes && wire.Absent(text):
			w.tell(s)
		case bytes.HasPrefix(text, []byte("SERVER_ERROR")): // memcached has forgotten the value before, too
			w.forget(s)
		}
	}
	return w.over(s)
}

// tell tells all but the one that decided.
func (w *spread) tell(s *Session) {
	for _, r := range w.shard.Replicas() {
		if r == w.order[w.asked] {
			continue
		}
		err := link.ErrDown
		if r.Writable() {
			err = s.follow(r, w.effect, w.data, link.Token{Seq: w.seq, Part: int32(told + len(w.others))})
		}
		if err != nil {
			r.Missed(w.key, err)
			continue
		}
		w.others = append(w.others, r)
		w.left++
	}
}

// forget lets all but the one that decided forget the key.
func (w *spread) forget(s *Session) {
	for _, r := range w.shard.Replicas() {
		if r != w.order[w.asked] {
			s.forget(r, w.key)
		}
	}
}

func (w *spread) failed(s *Session, n int32, err error) bool {
	w.left--
	if n >= told {
		w.others[n-told].Missed(w.key, err)
		return w.over(s)
	}
	for {
		w.err = err
		w.order[w.asked].Missed(w.key, err)
		if w.asked++; w.asked == len(w.order) {
			return w.over(s)
		}
		s.o.Metrics.failovers.Inc()
		if err = s.follow(w.order[w.asked], w.line, w.data, link.Token{Seq: w.seq}); err == nil {
			w.left++
			return false
		}
	}
}

// missed notes that no replica has the write.
func (w *spread) missed(err error) {
	for _, r := range w.shard.Replicas() {
		r.Missed(w.key, err)
	}
}

// over tells whether nothing is left, and makes the replicas agree then.
func (w *spread) over(s *Session) bool {
	if w.left > 0 {
		return false
	}
	for _, r := range w.disagree {
		s.forget(r, w.key)
	}
	s.hold(-w.size())
	return true
}

func (w *spread) result() []byte {
	if w.answer != nil {
		return w.answer
	}
	return serverError(w.shard.Name(), w.err)
}

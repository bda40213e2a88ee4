package session

import (
	"github.com/flotilla-dev/flotilla/ambassadors/memcacheshard/shard"
	"github.com/flotilla-dev/flotilla/ambassadors/memcacheshard/wire"
)

// slot is a command of a client that is not answered yet.
type slot struct {
	verb  wire.Verb
	quiet bool
	done  bool
	shard *shard.Shard // that was asked, without a plan
	text  []byte       // the answer, when it came before its turn
	plan  plan         // of a command that is more than one request
}

// slots are the commands of a client in their order: a ring, numbered from first
// on.
type slots struct {
	ring  []slot
	first uint64 // number of the oldest
	n     int
}

func (q *slots) at(seq uint64) *slot { return &q.ring[seq&uint64(len(q.ring)-1)] }

// push adds a slot and returns its number.
func (q *slots) push() (uint64, *slot) {
	if q.n == len(q.ring) {
		q.grow()
	}
	seq := q.first + uint64(q.n)
	q.n++
	s := q.at(seq)
	*s = slot{text: s.text[:0]}
	return seq, s
}

func (q *slots) grow() {
	ring := make([]slot, max(4, 2*len(q.ring)))
	for i := range q.n {
		seq := q.first + uint64(i)
		ring[seq&uint64(len(ring)-1)] = *q.at(seq)
	}
	q.ring = ring
}

// maxKept is how much memory for an answer is kept for the next one.
const maxKept = 1 << 10

// pop removes the oldest.
func (q *slots) pop() {
	s := q.at(q.first)
	s.plan, s.shard = nil, nil
	if cap(s.text) > maxKept {
		s.text = nil
	}
	q.first++
	q.n--
}

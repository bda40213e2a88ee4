package link

// queue is a ring of calls, first in, first out.
type queue struct {
	ring  []Call
	first int
	n     int
}

func (q *queue) push(c Call) {
	if q.n == len(q.ring) {
		q.grow()
	}
	q.ring[(q.first+q.n)&(len(q.ring)-1)] = c
	q.n++
}

func (q *queue) grow() {
	ring := make([]Call, max(16, 2*len(q.ring)))
	for i := range q.n {
		ring[i] = q.ring[(q.first+i)&(len(q.ring)-1)]
	}
	q.ring, q.first = ring, 0
}

func (q *queue) pop() Call {
	c := q.ring[q.first]
	q.ring[q.first] = Call{}
	q.first = (q.first + 1) & (len(q.ring) - 1)
	q.n--
	return c
}

// oldest is the call that was pushed first; there must be one.
func (q *queue) oldest() *Call { return &q.ring[q.first] }

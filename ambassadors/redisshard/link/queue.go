package link

// queue is a ring of requests, first in, first out.
type queue struct {
	ring  []Request // its length is a power of two
	first int
	n     int
}

func (q *queue) push(r Request) {
	if q.n == len(q.ring) {
		q.resize(max(16, 2*len(q.ring)))
	}
	q.ring[(q.first+q.n)&(len(q.ring)-1)] = r
	q.n++
}

func (q *queue) resize(size int) {
	ring := make([]Request, size)
	for i := range q.n {
		ring[i] = q.ring[(q.first+i)&(len(q.ring)-1)]
	}
	q.ring, q.first = ring, 0
}

// oldest is the one that pop would return first.
func (q *queue) oldest() *Request { return &q.ring[q.first] }

// pop appends the first n requests to into.
func (q *queue) pop(into []Request, n int) []Request {
	for range n {
		into = append(into, q.ring[q.first])
		q.ring[q.first] = Request{}
		q.first = (q.first + 1) & (len(q.ring) - 1)
	}
	q.n -= n
	return into
}

package session

import (
	"sync"

	"github.com/flotilla-dev/flotilla/ambassadors/redisshard/link"
	"github.com/flotilla-dev/flotilla/internal/tcpserve"
)

// replies are the replies to one client, in the order of its requests. Shards
// answer in any order; a reply that is early waits in the slot of its request.
type replies struct {
	o   *Options
	out output

	mu      sync.Mutex // guards all below
	changed sync.Cond  // of wait and reserve
	slots   []slot     // of requests head to tail; its length is a power of two
	head    uint64     // the request whose reply is written next
	tail    uint64     // the next request
	ready   *chunk     // replies to be written
	stored  int        // bytes of replies in ready, in slots and being written
	sending int        // bytes of those that are being written
	dirty   bool       // a Flush is asked for
	writing bool       // somebody writes
	over    bool       // nothing more is written
	slow    sync.WaitGroup
}

// slot is a request without a written reply.
type slot struct {
	done  bool
	reply *chunk // nil while it is head's
	merge *merge // of a request in parts
}

func newReplies(conn tcpserve.Direct, o *Options) *replies {
	r := &replies{o: o, out: output{conn}, slots: make([]slot, 8)}
	r.changed.L = &r.mu
	return r
}

// reserve takes the place of a request among the replies. It waits while the
// client has too much in flight. ok is false when nothing is written any more.
func (r *replies) reserve(m *merge) (seq uint64, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.full() && !r.over {
		if r.dirty || r.ready != nil && !r.writing {
			r.flush()
			continue
		}
		r.changed.Wait()
	}
	if r.over {
		return 0, false
	}
	if int(r.tail-r.head) == len(r.slots) {
		r.grow()
	}
	seq = r.tail
	r.tail++
	r.slots[seq&uint64(len(r.slots)-1)] = slot{merge: m}
	return seq, true
}

// full is called with mu held.
func (r *replies) full() bool {
	return int(r.tail-r.head) >= r.o.MaxPipeline || r.stored > r.o.MaxReplies/2
}

func (r *replies) grow() {
	slots := make([]slot, 2*len(r.slots))
	for seq := r.head; seq < r.tail; seq++ {
		slots[seq&uint64(len(slots)-1)] = r.slots[seq&uint64(len(r.slots)-1)]
	}
	r.slots = slots
}

// Answer makes replies a link.Receiver.
func (r *replies) Answer(t link.Token, reply []byte) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		return false
	}
	s := &r.slots[t.Seq&uint64(len(r.slots)-1)]
	r.release(-len(reply)) // holds it
	if r.tooMuch() {
		r.cut("replies")
		return false
	}
	if m := s.merge; m != nil {
		m.held += len(reply)
		if !m.add(t.Part, reply) {
			return false
		}
		reply = m.result()
		r.release(m.held - len(reply))
		s.merge = nil
	}
	if t.Seq != r.head {
		s.reply, s.done = newChunk(reply), true
		return false
	}
	r.append(reply)
	r.advance()
	if r.dirty {
		return false
	}
	r.dirty = true
	return true
}

// tooMuch is called with mu held.
func (r *replies) tooMuch() bool {
	return r.stored > r.o.MaxReplies || r.stored > fairShare && r.o.Memory.far()
}

// advance moves on to the first request that is not answered.
func (r *replies) advance() {
	*r.at(r.head) = slot{}
	r.head++
	for r.head < r.tail && r.at(r.head).done {
		s := r.at(r.head)
		r.append(s.reply.b)
		s.reply.free()
		*s = slot{}
		r.head++
	}
	r.changed.Broadcast()
}

func (r *replies) at(seq uint64) *slot { return &r.slots[seq&uint64(len(r.slots)-1)] }

func (r *replies) append(reply []byte) {
	if r.ready == nil {
		r.ready = newChunk(nil)
	}
	r.ready.b = append(r.ready.b, reply...)
}

// cut ends the client for a reason. It is called with mu held.
func (r *replies) cut(reason string) {
	r.o.Metrics.cut(reason)
	r.end()
}

// end makes an end of writing: the connection is closed, the rest is forgotten, at
// once, for the client's own reader may wait for the memory. It is called with mu
// held.
func (r *replies) end() {
	if r.over {
		return
	}
	r.over = true
	r.ready = nil
	r.slots = nil
	r.release(r.stored - r.sending)
	r.out.abort()
	r.changed.Broadcast()
}

// abort closes the connection without the replies that are owed.
func (r *replies) abort() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.end()
}

// close ends writing. When it returns nobody writes any more, and nothing is
// stored.
func (r *replies) close() {
	r.mu.Lock()
	r.end()
	for r.writing {
		r.changed.Wait()
	}
	r.mu.Unlock()
	r.slow.Wait()
}

// wait waits until all requests are answered and all replies written. It returns
// early when nothing is written any more.
func (r *replies) wait() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for !r.over && (r.head < r.tail || r.ready != nil || r.writing) {
		if r.ready != nil && !r.writing {
			r.flush()
			continue
		}
		r.changed.Wait()
	}
}

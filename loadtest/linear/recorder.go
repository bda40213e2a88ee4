package linear

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Recorder takes the calls of concurrent clients.
type Recorder struct {
	model Model
	begin time.Time

	mu      sync.Mutex // guards all below
	last    int64      // stamp; each is later than the one before
	ended   []Operation
	running map[*Call]bool
	dropped int
}

// NewRecorder begins a history.
func NewRecorder(m Model) *Recorder {
	return &Recorder{model: m, begin: time.Now(), running: map[*Call]bool{}}
}

// Call is an operation that has begun. What its answer says is put into Op before it
// ends; it ends once.
type Call struct {
	Op Operation

	begun Operation // as it was sent
	rec   *Recorder
}

// Begin stamps a call, before anything of it is sent.
func (r *Recorder) Begin(op Operation) *Call {
	r.mu.Lock()
	defer r.mu.Unlock()
	op.Call, op.Return, op.Outcome = r.stamp(), 0, Unknown
	c := &Call{Op: op, begun: op, rec: r}
	r.running[c] = true
	return c
}

// stamp is the time since the beginning, and never one that was given before.
func (r *Recorder) stamp() int64 {
	r.last = max(int64(time.Since(r.begin)), r.last+1)
	return r.last
}

// OK ends a call that was answered and done.
func (c *Call) OK() { c.end(OK) }

// Refused ends a call that was answered and not done.
func (c *Call) Refused() { c.end(Refused) }

// Unknown ends a call whose answer never came.
func (c *Call) Unknown() { c.end(Unknown) }

// Void forgets a call that surely did not happen, such as one that was never sent.
func (c *Call) Void() {
	c.rec.mu.Lock()
	defer c.rec.mu.Unlock()
	delete(c.rec.running, c)
}

func (c *Call) end(o Outcome) {
	c.rec.mu.Lock()
	defer c.rec.mu.Unlock()
	if !c.rec.running[c] {
		return // the history was taken: it is unknown there
	}
	delete(c.rec.running, c)
	if o == Unknown {
		c.rec.add(c.begun)
		return
	}
	op := c.Op
	op.Call, op.Return, op.Outcome = c.begun.Call, c.rec.stamp(), o
	c.rec.add(op)
}

func (r *Recorder) add(op Operation) {
	if len(r.ended) == MaxOperations {
		r.dropped++
		return
	}
	r.ended = append(r.ended, op)
}

// Expires records that the grant of a call that has ended may end by itself once its TTL
// is over, counted from that call: its acquire or its last renewal.
func (r *Recorder) Expires(from *Call, ttl time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.add(Operation{Client: from.begun.Client, Key: from.begun.Key, Do: Expire, Grant: from.Op.Grant, Outcome: Unknown, Call: from.begun.Call + int64(ttl)})
}

// History is all that was recorded. What is still running is unknown, and what it comes
// to is no longer recorded.
func (r *Recorder) History() (History, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := History{Model: r.model, Operations: slices.Clone(r.ended)}
	for c := range r.running {
		h.Operations = append(h.Operations, c.begun)
		delete(r.running, c)
	}
	if r.dropped > 0 {
		return History{}, fmt.Errorf("history: more than %d operations, %d were not recorded", MaxOperations, r.dropped)
	}
	slices.SortStableFunc(h.Operations, func(a, b Operation) int { return cmp.Compare(a.Call, b.Call) })
	return h, h.validate()
}

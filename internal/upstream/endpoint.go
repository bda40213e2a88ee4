package upstream

import (
	"sync"
	"sync/atomic"
	"time"
)

// An Endpoint is one replica of an upstream. Pick lends it; whoever got it must
// call Release (or Done) exactly once.
type Endpoint struct {
	member     Member
	pool       *Pool
	attachment any
	stop       func()    // ends its checker; guarded by pool.mu
	closed     sync.Once // Options.Close

	inFlight atomic.Int64
	failures atomic.Int32 // failed requests in a row
	latency  atomic.Int64 // moving average, nanoseconds
	heard    atomic.Int64 // when its last sample came, nanoseconds since 1970
	left     atomic.Bool  // no longer a member
	count    [outcomes]atomic.Uint64

	health health // guarded by pool.mu
}

// Name is the endpoint's key on the ring and in metrics.
func (e *Endpoint) Name() string { return e.member.Name }

// Addr is the host:port to call.
func (e *Endpoint) Addr() string { return e.member.Data }

// AdminAddr is the host:port of its administration, or "".
func (e *Endpoint) AdminAddr() string { return e.member.Admin }

// Attachment returns what Options.Open made for this endpoint.
func (e *Endpoint) Attachment() any { return e.attachment }

// InFlight returns how many requests are lent to the endpoint now.
func (e *Endpoint) InFlight() int64 { return e.inFlight.Load() }

// Latency returns the moving average of the reported latencies: each new one weighs
// an eighth, and with the policy Fastest the first after two seconds without any is
// all that counts. It is 0 when there is none.
func (e *Endpoint) Latency() time.Duration { return time.Duration(e.latency.Load()) }

// Health returns what is known of the endpoint's health, and what its last check
// found.
func (e *Endpoint) Health() (State, Cause) {
	e.pool.mu.Lock()
	defer e.pool.mu.Unlock()
	return e.health.state, e.health.cause
}

// Done reports how a request ended and releases the endpoint.
func (e *Endpoint) Done(o Outcome, latency time.Duration) {
	e.Report(o, latency)
	e.Release()
}

// Report tells how a request went, as soon as it is known; latency is the time
// to the head of the answer, or 0 where there is no such thing. Enough failures
// in a row eject the endpoint. Report does not allocate.
func (e *Endpoint) Report(o Outcome, latency time.Duration) {
	e.count[o].Add(1)
	switch {
	case o == Canceled:
		return
	case o.Failed():
		after := e.pool.options.Health.EjectAfter
		if n := e.failures.Add(1); after > 0 && int(n) >= after {
			e.pool.eject(e, o)
		}
	case e.failures.Load() != 0:
		e.failures.Store(0)
	}
	if latency > 0 && o != ConnectError { // a refusal is fast, and no speed
		var now int64
		if e.pool.options.Policy == Fastest { // no other one asks how old an average is
			now = time.Now().UnixNano()
		}
		e.average(latency, now)
	}
}

// stale is how long the latency of an endpoint says something of it without a new
// sample. Else one that was slow once would be slow for ever, to who asks the fastest.
const stale = int64(2 * time.Second)

// average may lose a sample to a concurrent one, which an average can bear.
func (e *Endpoint) average(latency time.Duration, now int64) {
	old := e.latency.Load()
	next := int64(latency)
	if known := e.known(now); known != 0 {
		next = known + (next-known)/8
	}
	e.latency.CompareAndSwap(old, next)
	e.heard.Store(now)
}

// known is the average, or 0 when it is none any more.
func (e *Endpoint) known(now int64) int64 {
	if now-e.heard.Load() > stale {
		return 0
	}
	return e.latency.Load()
}

// acquire fails when the endpoint has left in the meantime.
func (e *Endpoint) acquire() bool {
	e.inFlight.Add(1)
	if e.left.Load() {
		e.Release()
		return false
	}
	return true
}

// Release gives the endpoint back when the request and its answer's body are
// over.
func (e *Endpoint) Release() {
	if e.inFlight.Add(-1) == 0 && e.left.Load() {
		e.close()
	}
}

// leave makes the endpoint refuse requests and closes it when it has none. The
// view without it must be in place, so that a caller who is refused finds
// another one.
func (e *Endpoint) leave() {
	e.left.Store(true)
	if e.inFlight.Load() == 0 {
		e.close()
	}
}

func (e *Endpoint) close() {
	e.closed.Do(func() {
		e.pool.drained(e)
		if e.pool.options.Close != nil {
			e.pool.options.Close(e)
		}
	})
}

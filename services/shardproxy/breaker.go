package shardproxy

import (
	"sync/atomic"
	"time"

	"github.com/flotilla-dev/flotilla/internal/upstream"
)

// A breaker notes that nobody in a shard can be reached: it opens after EJECT_AFTER
// requests in a row that could not be sent, for EJECT_BASE, twice that the next time, and so
// on to EJECT_MAX. Then one more that cannot be sent opens it again, and any answer closes
// it. The pool of the shard does the same for its replicas, but for the last of them it has
// no other choice, and here there is one: another shard.
type breaker struct {
	health upstream.Health
	failed atomic.Int32 // requests in a row that could not be sent
	opened atomic.Int32 // times in a row
	until  atomic.Int64 // Unix nanoseconds
}

// open tells whether the breaker is.
func (b *breaker) open() bool {
	until := b.until.Load()
	return until != 0 && time.Now().UnixNano() < until
}

// reached notes an answer, of whatever kind.
func (b *breaker) reached() {
	if b.failed.Load() != 0 {
		b.failed.Store(0)
		b.opened.Store(0)
		b.until.Store(0)
	}
}

// unreachable notes a request that could not be sent.
func (b *breaker) unreachable() {
	after := b.health.EjectAfter
	if n := b.failed.Add(1); after == 0 || int(n) < after || b.open() {
		return
	}
	span := min(b.health.EjectBase*time.Duration(b.opened.Add(1)), b.health.EjectMax)
	b.until.Store(time.Now().Add(span).UnixNano())
}

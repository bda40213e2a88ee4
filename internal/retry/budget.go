package retry

import (
	"sync/atomic"
	"time"
)

// BudgetConfig is how much may be retried. The zero value allows no retry.
type BudgetConfig struct {
	Share        float64 // retries as a share of requests
	MinPerSecond float64 // retries per second beside the share
	Burst        float64 // most retries that can be saved up
}

// A Budget is a bucket of tokens: each request puts Share of one in, time puts
// in MinPerSecond, each retry takes one out, and Burst is the most it holds. It
// starts full of what ten seconds of MinPerSecond give, because the first
// seconds of a process need retries too.
//
// All methods may be called concurrently and take no lock. A nil *Budget allows
// no retry.
type Budget struct {
	perRequest int64 // all in millionths of a token
	perSecond  int64
	most       int64
	tokens     atomic.Int64
	filled     atomic.Int64 // when time was last credited, Unix nanoseconds
	refused    atomic.Uint64
	taken      atomic.Uint64
}

const token = 1_000_000

// NewBudget returns a budget. Negative values count as zero.
func NewBudget(c BudgetConfig) *Budget {
	b := &Budget{
		perRequest: int64(max(c.Share, 0) * token),
		perSecond:  int64(max(c.MinPerSecond, 0) * token),
		most:       int64(max(c.Burst, 0) * token),
	}
	b.tokens.Store(min(10*b.perSecond, b.most))
	b.filled.Store(time.Now().UnixNano())
	return b
}

// Request tells of a first attempt, which earns a share of a retry.
func (b *Budget) Request() {
	if b != nil && b.tokens.Load() < b.most {
		b.tokens.Add(b.perRequest) // at most one share per caller over the bound
	}
}

// Retry takes one retry out of the budget, or returns false: then the caller
// gives up with what he has.
func (b *Budget) Retry() bool {
	if b == nil {
		return false
	}
	b.credit(time.Now().UnixNano())
	for {
		have := b.tokens.Load()
		if have < token {
			b.refused.Add(1)
			return false
		}
		if b.tokens.CompareAndSwap(have, have-token) {
			b.taken.Add(1)
			return true
		}
	}
}

// credit adds the tokens of the time since the last credit. Whoever moves the
// mark adds them, so each span is paid once.
func (b *Budget) credit(now int64) {
	last := b.filled.Load()
	span := now - last
	// Time beyond what fills the bucket is worth nothing, and must not overflow.
	earned := int64(min(float64(span)/float64(time.Second)*float64(b.perSecond), float64(b.most)))
	if earned <= 0 || !b.filled.CompareAndSwap(last, now) {
		return
	}
	for {
		have := b.tokens.Load()
		if have >= b.most || b.tokens.CompareAndSwap(have, min(have+earned, b.most)) {
			return
		}
	}
}

// Counts returns how many retries were allowed and refused so far.
func (b *Budget) Counts() (allowed, refused uint64) {
	if b == nil {
		return 0, 0
	}
	return b.taken.Load(), b.refused.Load()
}

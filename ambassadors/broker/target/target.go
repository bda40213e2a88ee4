package target

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"
)

// Health is the verdict on a target.
type Health string

const (
	Unknown Health = "unknown" // not checked yet: it may be used
	Healthy Health = "healthy"
	Down    Health = "down"
)

// Target is one address.
type Target struct {
	Address string

	pool   *Pool
	cancel context.CancelFunc

	// guarded by the pool's lock
	name   string
	health Health
	reason string
	good   int       // checks in a row
	bad    int       // checks in a row
	heard  time.Time // when it last showed that it is alive
}

// fastest is how often a target is checked while there is none to use: the next
// connection waits for it.
const fastest = 250 * time.Millisecond

// watch checks the target until ctx ends.
func (t *Target) watch(ctx context.Context) {
	for {
		if !t.heardLately() {
			t.check(ctx)
		}
		timer := time.NewTimer(t.pause())
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

func (t *Target) check(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, t.pool.options.Timeout)
	defer cancel()
	err := t.pool.options.Check(ctx, t.Address)
	if errors.Is(err, context.Canceled) {
		return // it is no longer in the list
	}
	if err != nil {
		t.Bad(err)
		return
	}
	t.Good()
}

func (t *Target) pause() time.Duration {
	t.pool.mu.Lock()
	defer t.pool.mu.Unlock()
	if t.pool.active == nil {
		return min(fastest, t.pool.options.Interval)
	}
	return t.pool.options.Interval
}

func (t *Target) heardLately() bool {
	t.pool.mu.Lock()
	defer t.pool.mu.Unlock()
	return t.health == Healthy && time.Since(t.heard) < t.pool.options.Interval
}

// Good tells that the target has shown that it is alive.
func (t *Target) Good() {
	t.verdict(func() {
		t.good, t.bad, t.heard = t.good+1, 0, time.Now()
		if t.health == Unknown || t.good >= t.pool.options.Up {
			t.health, t.reason = Healthy, ""
		}
	})
}

// Bad tells that it could not be reached, or said nothing of use.
func (t *Target) Bad(err error) {
	t.verdict(func() {
		t.good, t.bad, t.reason = 0, t.bad+1, why(err)
		if t.bad >= t.pool.options.Down || errors.Is(err, syscall.ECONNREFUSED) {
			t.health = Down
		}
	})
}

// verdict changes what is known of the target, and what follows from it.
func (t *Target) verdict(change func()) {
	p := t.pool
	p.mu.Lock()
	before := t.health
	change()
	after, reason := t.health, t.reason
	if before != after {
		p.settle()
	}
	p.mu.Unlock()
	if before == after {
		return
	}
	if p.options.Log != nil && (after == Down || before == Down) {
		p.options.Log.Warn("target is "+string(after), "address", t.Address, "reason", reason)
	}
	p.announce()
}

// Health is the verdict now.
func (t *Target) Health() Health {
	t.pool.mu.Lock()
	defer t.pool.mu.Unlock()
	return t.health
}

// why says what an error means, for operators.
func why(err error) string {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the connection is refused"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return "no answer in time"
	}
	return err.Error()
}

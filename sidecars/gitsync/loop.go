package gitsync

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
)

// loop makes attempts: every period, after a delay with jitter when one has failed,
// and when somebody asks for one. However many ask during an attempt, one more is
// made after it.
type loop struct {
	syncer  *syncer
	asked   chan struct{}         // of capacity 1: that is the coalescing
	changed func(revision string) // tells the application
}

func newLoop(s *syncer, changed func(string)) *loop {
	return &loop{syncer: s, asked: make(chan struct{}, 1), changed: changed}
}

// ask wants an attempt that begins after now.
func (l *loop) ask() {
	select {
	case l.asked <- struct{}{}:
	default: // one is to come already
	}
}

// firstRetry bounds the delay after the first failure.
const firstRetry = time.Second

func (l *loop) run(ctx context.Context) error {
	cfg := l.syncer.cfg
	backoff := retry.Backoff{Base: min(firstRetry, cfg.RetryMax), Max: cfg.RetryMax}
	for failures := 0; ctx.Err() == nil; {
		changed, failed := l.syncer.once(ctx)
		wait := jittered(cfg.Period)
		if failed != nil {
			wait = backoff.Delay(failures)
			if failed.kind == refused && cfg.Period > 0 {
				wait = max(wait, jittered(cfg.Period)) // the same tree stays refused
			}
			failures++
		} else {
			failures = 0
		}
		if changed {
			l.changed(l.syncer.status.read().Revision)
		}
		l.rest(ctx, wait, failed == nil && cfg.Period == 0)
	}
	return nil
}

// rest waits for the next attempt, and removes what is not kept any longer meanwhile.
func (l *loop) rest(ctx context.Context, wait time.Duration, forEver bool) {
	var due <-chan time.Time
	next := time.Time{}
	if !forEver {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		due, next = timer.C, time.Now().Add(wait)
	}
	l.syncer.status.next(next)
	tidy := time.NewTicker(min(max(l.syncer.cfg.Keep, 100*time.Millisecond), 10*time.Second))
	defer tidy.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-due:
			return
		case <-l.asked:
			return
		case <-tidy.C:
			if err := l.syncer.place.Prune(); err != nil {
				l.syncer.log.Warn("an old revision was not removed", "error", err)
			}
			l.syncer.status.kept(l.syncer.place.Kept())
		}
	}
}

// jittered is within ten percent of d, so that many who were started together do
// not ask together.
func jittered(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.9 + 0.2*rand.Float64()))
}

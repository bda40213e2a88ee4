package experiments

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/duel"
	"github.com/flotilla-dev/flotilla/loadtest/hist"
	"github.com/flotilla-dev/flotilla/loadtest/openloop"
)

// loop is a closed loop: clients that ask again as soon as they are answered. Its
// rate is the capacity of what it asks, when there are enough clients.
type loop struct {
	clients  int
	duration time.Duration
	requests int // ends earlier after so many; 0: no limit
	send     func(ctx context.Context, n int) openloop.Answer
}

type looped struct {
	good, failed uint64
	took         time.Duration
	latency      hist.Histogram
	hits         uint64 // answers with a hit in Cache-Status
	reason       string // of one failure
}

func (r *looped) rate() float64 { return float64(r.good) / r.took.Seconds() }

func (r *looped) hitRate() float64 { return float64(r.hits) / float64(r.good) }

func (l loop) run(ctx context.Context) (*looped, error) {
	// No deadline: a dial would fail by it a moment before the context tells that it is over.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer time.AfterFunc(l.duration, cancel).Stop()
	r := &looped{}
	var mu sync.Mutex // guards next and the counts of r
	next := 0
	var wg sync.WaitGroup
	begin := time.Now()
	for range l.clients {
		wg.Go(func() {
			for {
				mu.Lock()
				n := next
				next++
				mu.Unlock()
				if ctx.Err() != nil || l.requests > 0 && n >= l.requests {
					return
				}
				sent := time.Now()
				a := l.send(ctx, n)
				if ctx.Err() != nil {
					return // cut off by the end of the loop
				}
				mu.Lock()
				r.count(a, time.Since(sent))
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	r.took = time.Since(begin)
	if r.failed > 0 {
		return r, fmt.Errorf("%d of %d requests failed, one with: %s", r.failed, r.failed+r.good, r.reason)
	}
	return r, nil
}

func (r *looped) count(a openloop.Answer, latency time.Duration) {
	if a.Err != nil || a.Status != 200 {
		r.failed++
		r.reason = fmt.Sprintf("status %d, error %v", a.Status, a.Err)
		return
	}
	r.good++
	r.latency.Record(latency)
	if isHit(a.Cache) {
		r.hits++
	}
}

// sampleOf is the result of an open loop as one round of a duel.
func sampleOf(result openloop.Result) duel.Sample {
	s := duel.Sample{Ops: result.Good, Errors: result.Failed, Took: result.Took, P50: result.Latency.Quantile(0.5), P99: result.Latency.Quantile(0.99)}
	for reason, n := range result.Reasons {
		s.Remarks = append(s.Remarks, fmt.Sprintf("%d × %s", n, reason))
	}
	return s
}

func milliseconds(d time.Duration) float64 { return d.Seconds() * 1000 }

func microseconds(d time.Duration) float64 { return d.Seconds() * 1e6 }

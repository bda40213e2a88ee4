package experiments

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/openloop"
)

// searched is what became of the searches of a load.
type searched struct {
	mu         sync.Mutex // guards all below
	latencies  []time.Duration
	incomplete int
	harvest    float64 // sum of the shares of documents that were searched
}

// searchLoad is an open loop of searches at a rate, each of a query that is made from its number. Answers that are partial are failures, unless
// partial is set: then they only are counted.
func (c *searchClient) searchLoad(ctx context.Context, rate float64, span time.Duration, partial bool, query func(n int) url.Values) (openloop.Result, *searched) {
	s := &searched{}
	result := openloop.Load{Rate: rate, Duration: span, Slice: 500 * time.Millisecond, Send: func(ctx context.Context, n int) openloop.Answer {
		begin := time.Now()
		a, err := c.search(ctx, query(n))
		took := time.Since(begin)
		if err != nil {
			return openloop.Answer{Err: err}
		}
		if !a.whole() && !(partial && a.status == http.StatusOK) {
			err = a.flaw()
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if a.status == http.StatusOK {
			s.latencies = append(s.latencies, took)
			s.harvest += a.Harvest.Documents
			if !a.whole() {
				s.incomplete++
			}
		}
		return openloop.Answer{Status: a.status, Err: err}
	}}.Run(ctx)
	slices.Sort(s.latencies)
	return result, s
}

// quantile of the latencies, from when requests were sent.
func (s *searched) quantile(q float64) time.Duration {
	if len(s.latencies) == 0 {
		return 0
	}
	return s.latencies[min(int(q*float64(len(s.latencies))), len(s.latencies)-1)]
}

// above is the share of the latencies that are longer.
func (s *searched) above(limit time.Duration) float64 {
	n, _ := slices.BinarySearch(s.latencies, limit)
	return float64(len(s.latencies)-n) / float64(max(len(s.latencies), 1))
}

// numbered is a query for a word of its own, so that it is decided anew who is slow.
func numbered(prefix string) func(n int) url.Values {
	return func(n int) url.Values { return url.Values{"q": {fmt.Sprintf("%s%06d", prefix, n)}, "limit": {"10"}} }
}

// warmUp asks until the root has an idea of how long leaves take.
func (c *searchClient) warmUp(ctx context.Context, n int, query func(n int) url.Values) error {
	for i := range n {
		if a, err := c.search(ctx, query(i)); err != nil || a.status != http.StatusOK {
			return fmt.Errorf("first searches: status %d, %w", a.status, err)
		}
	}
	return nil
}

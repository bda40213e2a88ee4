package measure

import (
	"sync"
	"time"
)

// steps are the parts of a window: what it covers is exact to a sixth.
const steps = 6

// A Series counts the requests of one arm. It is safe for concurrent use.
type Series struct {
	window time.Duration
	clock  func() time.Time

	mu    sync.Mutex // guards all below
	since time.Time
	begun time.Time // of what the window has
	whole counts
	parts [steps]counts
	at    int64 // number of the newest part since the epoch
}

type counts struct {
	requests, errors uint64
	latency          histogram
}

// A Summary is what was counted.
type Summary struct {
	Requests uint64
	Errors   uint64
	P50, P99 time.Duration
	Over     time.Duration // the time in which it was counted
}

// Rate is the requests per second.
func (s Summary) Rate() float64 {
	if s.Over <= 0 {
		return 0
	}
	return float64(s.Requests) / s.Over.Seconds()
}

// ErrorShare is the errors as a part of the requests, 0 of none.
func (s Summary) ErrorShare() float64 {
	if s.Requests == 0 {
		return 0
	}
	return float64(s.Errors) / float64(s.Requests)
}

// NewSeries returns an empty one. clock is time.Now where it is nil.
func NewSeries(window time.Duration, clock func() time.Time) *Series {
	if clock == nil {
		clock = time.Now
	}
	now := clock()
	return &Series{window: window, clock: clock, since: now, begun: now}
}

// Record counts a request.
func (s *Series) Record(latency time.Duration, failed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turn()
	for _, c := range [...]*counts{&s.whole, &s.parts[s.at%steps]} {
		c.requests++
		if failed {
			c.errors++
		}
		c.latency.record(latency)
	}
}

// turn empties the parts that are older than the window. s.mu is held.
func (s *Series) turn() {
	now := s.clock().UnixNano() / int64(max(s.window/steps, 1))
	if now <= s.at {
		return // also where a clock went backwards
	}
	for n := max(s.at+1, now-steps+1); n <= now; n++ {
		s.parts[n%steps] = counts{}
	}
	s.at = now
}

// Whole is what was counted since the beginning, and when that was.
func (s *Series) Whole() (Summary, time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sum := s.whole.summary()
	sum.Over = s.clock().Sub(s.since)
	return sum, s.since
}

// Window is what was counted within the window.
func (s *Series) Window() Summary {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turn()
	var sum counts
	for i := range s.parts {
		sum.requests += s.parts[i].requests
		sum.errors += s.parts[i].errors
		sum.latency.add(&s.parts[i].latency)
	}
	summary := sum.summary()
	step := int64(max(s.window/steps, 1))
	now := s.clock()
	summary.Over = min(time.Duration(now.UnixNano()-(s.at-steps+1)*step), now.Sub(s.begun))
	return summary
}

// Forget empties the window, not the whole.
func (s *Series) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parts, s.begun = [steps]counts{}, s.clock()
}

func (c *counts) summary() Summary {
	return Summary{Requests: c.requests, Errors: c.errors, P50: c.latency.quantile(0.5), P99: c.latency.quantile(0.99)}
}

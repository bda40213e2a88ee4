package openloop

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/hist"
)

// Answer is what became of one request.
type Answer struct {
	Status   int
	ServedBy string // X-Served-By: the instance that answered
	Cache    string // Cache-Status
	Bytes    int64  // of the body, which was read to its end
	Resent   bool   // the transport sent it more than once
	Err      error
}

// Load is a run at a constant arrival rate.
type Load struct {
	Rate        float64       // arrivals per second
	Duration    time.Duration // of arrivals; 0: until the context ends
	Timeout     time.Duration // of one request, from its intended start; 10 s when 0
	MaxInFlight int           // further arrivals fail as shed; 4096 when 0
	Slice       time.Duration // of the timeline; 1 s when 0
	// Send makes request n and returns when its answer is complete.
	Send func(ctx context.Context, n int) Answer
	// Good says which answers are no failures; 200–399 when nil.
	Good func(Answer) bool
}

// Result is what a run saw.
type Result struct {
	Rate     float64 // that was asked for
	Took     time.Duration
	Sent     uint64
	Good     uint64
	Failed   uint64 // among them the shed ones
	Resent   uint64
	Latency  *hist.Histogram // of good answers, from the intended start
	ByServer map[string]uint64
	ByStatus map[int]uint64
	Reasons  map[string]uint64 // why requests failed
	// Offsets of the first and the last failed request's intended start.
	FirstFailure, LastFailure time.Duration
	Timeline                  []Slice
	// Late is how late the generator itself ever was: much of it means a starved
	// machine, not a slow server.
	Late time.Duration
}

// Slice is one step of the timeline, by intended start.
type Slice struct {
	Good, Failed uint64
	Latency      *hist.Histogram
}

var errShed = errors.New("shed: too many requests in flight")

// Run sends until Duration is over or ctx ends, then waits for the answers to
// what was sent. The end of ctx ends the arrivals, not the requests in flight.
func (l Load) Run(ctx context.Context) Result {
	l.defaults()
	r := &recorder{load: l, result: Result{Rate: l.Rate, Latency: new(hist.Histogram),
		ByServer: map[string]uint64{}, ByStatus: map[int]uint64{}, Reasons: map[string]uint64{}}}
	slots := make(chan struct{}, l.MaxInFlight)
	requests := context.WithoutCancel(ctx)
	var wg sync.WaitGroup
	start := time.Now()
	for n := 0; ; n++ {
		due := time.Duration(float64(n) / l.Rate * float64(time.Second))
		if l.Duration > 0 && due >= l.Duration || !waitUntil(ctx, start.Add(due)) {
			break
		}
		r.late(time.Since(start) - due)
		select {
		case slots <- struct{}{}:
		default:
			r.add(due, 0, Answer{Err: errShed})
			continue
		}
		wg.Go(func() {
			defer func() { <-slots }()
			intended := start.Add(due)
			reqCtx, cancel := context.WithDeadline(requests, intended.Add(l.Timeout))
			defer cancel()
			answer := l.Send(reqCtx, n)
			r.add(due, time.Since(intended), answer)
		})
	}
	wg.Wait()
	r.result.Took = time.Since(start)
	return r.result
}

func (l *Load) defaults() {
	if l.Timeout == 0 {
		l.Timeout = 10 * time.Second
	}
	if l.MaxInFlight == 0 {
		l.MaxInFlight = 4096
	}
	if l.Slice == 0 {
		l.Slice = time.Second
	}
	if l.Good == nil {
		l.Good = func(a Answer) bool { return a.Status >= 200 && a.Status < 400 }
	}
}

// waitUntil returns false when ctx ended first. A late generator does not wait
// at all and so catches up.
func waitUntil(ctx context.Context, when time.Time) bool {
	wait := time.Until(when)
	if wait <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

type recorder struct {
	load   Load
	mu     sync.Mutex // guards result
	result Result
}

func (r *recorder) late(by time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.result.Late = max(r.result.Late, by)
}

func (r *recorder) add(due, latency time.Duration, a Answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	res := &r.result
	slot := int(due / r.load.Slice)
	for len(res.Timeline) <= slot {
		res.Timeline = append(res.Timeline, Slice{Latency: new(hist.Histogram)})
	}
	res.Sent++
	if a.Resent {
		res.Resent++
	}
	if a.Status != 0 {
		res.ByStatus[a.Status]++
	}
	if a.ServedBy != "" {
		res.ByServer[a.ServedBy]++
	}
	if a.Err == nil && r.load.Good(a) {
		res.Good++
		res.Timeline[slot].Good++
		res.Latency.Record(latency)
		res.Timeline[slot].Latency.Record(latency)
		return
	}
	if res.Failed == 0 || due < res.FirstFailure {
		res.FirstFailure = due
	}
	res.LastFailure = max(res.LastFailure, due)
	res.Failed++
	res.Timeline[slot].Failed++
	res.Reasons[reason(a)]++
}

// maxReason bounds the text by which failures are counted.
const maxReason = 120

func reason(a Answer) string {
	if a.Err == nil {
		return fmt.Sprintf("status %d", a.Status)
	}
	text := a.Err.Error()
	if errors.Is(a.Err, context.DeadlineExceeded) {
		text = "no answer in time"
	}
	if len(text) > maxReason {
		text = text[:maxReason] + "…"
	}
	return text
}

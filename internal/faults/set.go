package faults

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// A Set is the rules of one process. New makes one; a nil *Set injects nothing.
type Set struct {
	rules    atomic.Pointer[rules] // nil: none
	change   sync.Mutex            // held while rules is replaced
	injected *prometheus.CounterVec
	counters [5]prometheus.Counter // of injected, as in kinds
}

// rules never change; gone is closed when they are replaced.
type rules struct {
	list []Rule
	gone chan struct{}
}

// New returns a set without rules. metrics may be nil.
func New(metrics prometheus.Registerer) (*Set, error) {
	s := &Set{injected: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "faults_injected_total", Help: "Faults injected into requests, by kind.",
	}, []string{"fault"})}
	for i, kind := range kinds {
		s.counters[i] = s.injected.WithLabelValues(kind)
	}
	if metrics == nil {
		return s, nil
	}
	return s, metrics.Register(s.injected)
}

// Rules returns the present rules, which must not be changed.
func (s *Set) Rules() []Rule {
	if s == nil {
		return nil
	}
	if r := s.rules.Load(); r != nil {
		return r.list
	}
	return nil
}

// Replace puts other rules, which must not be changed any more, in the place of
// the present ones; none ends all faults. It sets free what the present ones
// hold. The rules are those of Parse, or the error is an Errors.
func (s *Set) Replace(list []Rule) error {
	var wrong Errors
	for i := range list {
		wrong = append(wrong, list[i].check()...)
	}
	if len(wrong) > 0 {
		return wrong
	}
	var next *rules
	if len(list) > 0 {
		next = &rules{list: list, gone: make(chan struct{})}
	}
	s.change.Lock()
	defer s.change.Unlock()
	if old := s.rules.Swap(next); old != nil {
		close(old.gone)
	}
	return nil
}

// A Decision is what is to happen to one request. The zero Decision is nothing.
type Decision struct {
	Delay     time.Duration
	Status    int  // not 0: answer with it
	Abort     bool // close the connection without an answer
	BlackHole bool // never answer
	Pause     bool // wait until the rules change
	gone      <-chan struct{}
}

// None tells that nothing is to happen.
func (d *Decision) None() bool { return d.gone == nil }

// Decide draws what happens to a request. random returns numbers in [0, 1); nil
// means math/rand/v2. Decide does not allocate.
func (s *Set) Decide(method, path string, random func() float64) Decision {
	if s == nil {
		return Decision{}
	}
	r := s.rules.Load()
	if r == nil {
		return Decision{}
	}
	return s.decide(r, method, path, random)
}

func (s *Set) decide(r *rules, method, path string, random func() float64) (d Decision) {
	if random == nil {
		random = rand.Float64
	}
	for i := range r.list {
		rule := &r.list[i]
		if !rule.matches(method, path) || !rule.hits(random) {
			continue
		}
		d.gone = r.gone
		s.count(rule.Fault)
		switch rule.Fault {
		case Latency:
			d.Delay += rule.delay(random)
		case Pause:
			d.Pause = true
		case Status:
			d.Status = rule.Status
			return d
		case Abort:
			d.Abort = true
			return d
		case BlackHole:
			d.BlackHole = true
			return d
		}
	}
	return d
}

func (s *Set) count(kind string) {
	for i := range kinds {
		if kinds[i] == kind {
			s.counters[i].Inc()
		}
	}
}

// ErrAbort tells a transport to close the connection without an answer.
var ErrAbort = errors.New("fault injected: abort")

// Apply waits as the decision says. After nil the request goes on – to an
// answer of d.Status where that is set. After an error, which is ErrAbort or
// that of ctx, the connection is to be closed without an answer.
func (d *Decision) Apply(ctx context.Context) error {
	if d.Delay > 0 {
		timer := time.NewTimer(d.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if d.Pause || d.BlackHole {
		select {
		case <-d.gone:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if d.Abort || d.BlackHole {
		return ErrAbort
	}
	return nil
}

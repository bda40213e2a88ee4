package limit

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flotilla-dev/flotilla/internal/problem"
)

// ErrShed says that a request was refused to protect the others: answer with Overloaded.
var ErrShed = errors.New("shed: too many requests in flight")

// ShedOptions configure a Shedder.
type ShedOptions struct {
	InFlight int // requests that are served at once
	Queue    int // requests that wait for a place; 0: none waits
	// Target is how long a request waits at most while the queue is standing – has not been empty for
	// Interval –, and Interval how long otherwise. 0: 5ms and 100ms.
	Target, Interval time.Duration
	Metrics          prometheus.Registerer
}

// Shedder bounds what is in flight, and sheds early what is too much: a rate limit stops one client who asks
// too much, this stops all of them together.
//
// A burst is good to queue: it is served within moments. A standing queue is not: it only makes every request
// late. So, as CoDel does for packets, the time a request may wait is short when the queue has not been empty
// for Interval, and places then go to the newest request, whose client is the most likely to be still there,
// rather than to the oldest, which has waited in vain already.
type Shedder struct {
	o ShedOptions

	mu       sync.Mutex // guards all below
	inFlight int
	waiting  []*waiter // oldest first
	since    time.Time // since when the queue is not empty

	shed *prometheus.CounterVec
}

// waiter is a request in the queue. Whoever takes it out of the queue sends the one message.
type waiter struct {
	place chan bool // true: yours; false: shed
}

// NewShedder returns a shedder with free places.
func NewShedder(o ShedOptions) (*Shedder, error) {
	if o.InFlight < 1 || o.Queue < 0 || o.Target < 0 || o.Interval < 0 {
		return nil, fmt.Errorf("shed: in flight %d, queue %d: want at least one place and no negative number", o.InFlight, o.Queue)
	}
	if o.Target == 0 {
		o.Target = 5 * time.Millisecond
	}
	if o.Interval == 0 {
		o.Interval = 100 * time.Millisecond
	}
	s := &Shedder{o: o, shed: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "shed_total", Help: "Requests refused to protect the others, by reason (full, late, gone)."}, []string{"reason"})}
	if o.Metrics != nil {
		gauge := func(name, help string, value func() int) prometheus.Collector {
			return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
				s.mu.Lock()
				defer s.mu.Unlock()
				return float64(value())
			})
		}
		o.Metrics.MustRegister(s.shed,
			gauge("shed_in_flight", "Requests in flight.", func() int { return s.inFlight }),
			gauge("shed_waiting", "Requests that wait for a place.", func() int { return len(s.waiting) }))
	}
	return s, nil
}

// Acquire takes a place, waiting a little for one. After nil, Release must be called exactly once. The error
// is ErrShed, or that of ctx when the client has gone.
func (s *Shedder) Acquire(ctx context.Context) error {
	s.mu.Lock()
	if s.inFlight < s.o.InFlight {
		s.inFlight++
		s.mu.Unlock()
		return nil
	}
	if s.o.Queue == 0 {
		s.mu.Unlock()
		s.shed.WithLabelValues("full").Inc()
		return ErrShed
	}
	w, patience := s.join()
	s.mu.Unlock()
	return s.wait(ctx, w, patience)
}

// join queues a request; a full queue sheds its oldest, which has the worst chance.
func (s *Shedder) join() (*waiter, time.Duration) {
	now := time.Now()
	if len(s.waiting) == 0 {
		s.since = now
	}
	if len(s.waiting) == s.o.Queue {
		s.waiting[0].place <- false
		s.waiting = append(s.waiting[:0], s.waiting[1:]...)
		s.shed.WithLabelValues("full").Inc()
	}
	w := &waiter{place: make(chan bool, 1)}
	s.waiting = append(s.waiting, w)
	if now.Sub(s.since) >= s.o.Interval {
		return w, s.o.Target
	}
	return w, s.o.Interval
}

func (s *Shedder) wait(ctx context.Context, w *waiter, patience time.Duration) error {
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case mine := <-w.place:
		return verdict(mine)
	case <-late.C:
		if s.leave(w) {
			s.shed.WithLabelValues("late").Inc()
			return ErrShed
		}
	case <-ctx.Done():
		if s.leave(w) {
			s.shed.WithLabelValues("gone").Inc()
			return ctx.Err()
		}
	}
	return verdict(<-w.place) // it was decided in the same moment
}

func verdict(mine bool) error {
	if mine {
		return nil
	}
	return ErrShed
}

// leave takes w out of the queue, if it is still there.
func (s *Shedder) leave(w *waiter) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, other := range s.waiting {
		if other == w {
			s.waiting = append(s.waiting[:i], s.waiting[i+1:]...)
			return true
		}
	}
	return false
}

// Release gives the place back, or on to one who waits.
func (s *Shedder) Release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := len(s.waiting) - 1
	if last < 0 {
		s.inFlight--
		return
	}
	next := 0
	if time.Since(s.since) >= s.o.Interval {
		next = last
	}
	w := s.waiting[next]
	s.waiting = append(s.waiting[:next], s.waiting[next+1:]...)
	w.place <- true
}

// Overloaded is the answer to a request that was shed.
func Overloaded() *problem.Problem {
	return problem.New(http.StatusServiceUnavailable, "overloaded", "more requests are in flight than this server takes; try again").Retry(time.Second)
}

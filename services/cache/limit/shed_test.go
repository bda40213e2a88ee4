package limit

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func newShedder(t *testing.T, o ShedOptions) *Shedder {
	t.Helper()
	s, err := NewShedder(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// enter acquires in the background and tells how it went. In a bubble, it has queued when Wait returns.
func enter(s *Shedder, ctx context.Context) chan error {
	out := make(chan error, 1)
	go func() { out <- s.Acquire(ctx) }()
	synctest.Wait()
	return out
}

func TestWithoutAQueueWhatIsTooMuchIsShedAtOnce(t *testing.T) {
	s := newShedder(t, ShedOptions{InFlight: 2})
	for range 2 {
		if err := s.Acquire(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Acquire(t.Context()); !errors.Is(err, ErrShed) {
		t.Errorf("the third: %v", err)
	}
	s.Release()
	if err := s.Acquire(t.Context()); err != nil {
		t.Errorf("after one left: %v", err)
	}
}

func TestABurstWaitsInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShedder(t, ShedOptions{InFlight: 1, Queue: 2})
		_ = s.Acquire(t.Context())
		first, second := enter(s, t.Context()), enter(s, t.Context())
		time.Sleep(10 * time.Millisecond)
		s.Release()
		if err := <-first; err != nil {
			t.Errorf("the first to come: %v", err)
		}
		s.Release()
		if err := <-second; err != nil {
			t.Errorf("the second: %v", err)
		}
	})
}

func TestAStandingQueueServesTheNewestAndShedsSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShedder(t, ShedOptions{InFlight: 1, Queue: 10})
		_ = s.Acquire(t.Context())
		old := enter(s, t.Context())
		time.Sleep(60 * time.Millisecond)
		older := enter(s, t.Context())
		time.Sleep(40*time.Millisecond + time.Microsecond)
		if err := <-old; !errors.Is(err, ErrShed) {
			t.Errorf("after 100ms: %v, want it shed", err)
		}
		begun := time.Now()
		late := enter(s, t.Context())
		newest := enter(s, t.Context())
		s.Release()
		if err := <-newest; err != nil {
			t.Errorf("the newest: %v, want the place", err)
		}
		if err := <-late; !errors.Is(err, ErrShed) || time.Since(begun) != 5*time.Millisecond {
			t.Errorf("in a standing queue: %v after %v, want it shed after 5ms", err, time.Since(begun))
		}
		if err := <-older; !errors.Is(err, ErrShed) {
			t.Errorf("the older: %v", err)
		}
	})
}

func TestAFullQueueShedsItsOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShedder(t, ShedOptions{InFlight: 1, Queue: 2})
		_ = s.Acquire(t.Context())
		a, b, c := enter(s, t.Context()), enter(s, t.Context()), enter(s, t.Context())
		if err := <-a; !errors.Is(err, ErrShed) {
			t.Errorf("the oldest: %v", err)
		}
		s.Release()
		s.Release()
		if errors.Join(<-b, <-c) != nil {
			t.Error("the others got no place")
		}
	})
}

func TestAClientWhoLeavesGivesUpHisTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShedder(t, ShedOptions{InFlight: 1, Queue: 2})
		_ = s.Acquire(t.Context())
		ctx, cancel := context.WithCancel(t.Context())
		gone, stays := enter(s, ctx), enter(s, t.Context())
		cancel()
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Errorf("who left: %v", err)
		}
		s.Release()
		if err := <-stays; err != nil {
			t.Errorf("who stayed: %v", err)
		}
	})
}

func TestNoPlaceIsLostOrGivenTwice(t *testing.T) {
	s := newShedder(t, ShedOptions{InFlight: 4, Queue: 4, Target: 50 * time.Microsecond, Interval: 200 * time.Microsecond})
	var mu sync.Mutex
	inside, most, served := 0, 0, 0
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			for i := range 300 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%5)*50*time.Microsecond)
				if s.Acquire(ctx) == nil {
					mu.Lock()
					inside++
					served++
					most = max(most, inside)
					mu.Unlock()
					time.Sleep(20 * time.Microsecond)
					mu.Lock()
					inside--
					mu.Unlock()
					s.Release()
				}
				cancel()
			}
		})
	}
	all.Wait()
	if most > 4 || served == 0 {
		t.Errorf("%d at once, more than 4; %d served", most, served)
	}
	if s.inFlight != 0 || len(s.waiting) != 0 {
		t.Errorf("%d in flight and %d waiting after all have left", s.inFlight, len(s.waiting))
	}
}

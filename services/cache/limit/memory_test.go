package limit

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"
)

// memory is a Store in memory that can be as unkind as a real one. Its arithmetic is that of the script.
type memory struct {
	mu       sync.Mutex // guards all below
	full     map[string]time.Time
	beats    map[string]time.Time
	trip     time.Duration // there and back
	mode     string        // "", "refuse", "hang", "lose answers"
	visits   int
	buckets  int
	last     Ask
	negative bool // a bucket was seen below −burst
}

func newMemory(trip time.Duration) *memory {
	return &memory{full: map[string]time.Time{}, beats: map[string]time.Time{}, trip: trip}
}

var errAway = errors.New("connection refused")

func (m *memory) set(mode string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mode = mode
}

// travel is half a trip; it fails as the mode says.
func (m *memory) travel(ctx context.Context) error {
	m.mu.Lock()
	mode, half := m.mode, m.trip/2
	m.mu.Unlock()
	if mode == "refuse" {
		return errAway
	}
	if mode == "hang" {
		<-ctx.Done()
		return ctx.Err()
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(half):
		return nil
	}
}

func (m *memory) Settle(ctx context.Context, asks []Ask, grants []Grant) error {
	if err := m.travel(ctx); err != nil {
		return err
	}
	m.mu.Lock()
	m.visits++
	m.buckets += len(asks)
	for i, a := range asks {
		grants[i] = m.settle(a, time.Now())
		m.last = a
	}
	lost := m.mode == "lose answers"
	m.mu.Unlock()
	if lost {
		<-ctx.Done()
		return ctx.Err()
	}
	return m.travel(ctx)
}

func (m *memory) settle(a Ask, now time.Time) Grant {
	per := float64(time.Second) / a.Rate
	used := math.Max(0, float64(m.full[a.Key].Sub(now)))
	if m.full[a.Key].IsZero() {
		used = 0
	}
	used = math.Max(0, used+a.Charge*per)
	used = math.Min(used, 2*a.Burst*per)
	level := a.Burst - used/per
	n := math.Max(0, math.Min(float64(a.Want), math.Floor(level+1e-6)))
	used += n * per
	m.full[a.Key] = now.Add(time.Duration(used))
	m.negative = m.negative || level < -a.Burst
	return Grant{Tokens: int(n), Left: level - n}
}

func (m *memory) Beat(ctx context.Context, instance string) (int, error) {
	if err := m.travel(ctx); err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.beats[instance] = time.Now()
	for name, at := range m.beats {
		if time.Since(at) >= presence {
			delete(m.beats, name)
		}
	}
	return len(m.beats), nil
}

func (m *memory) Leave(_ context.Context, instance string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.beats, instance)
	return nil
}

// level is what the only bucket holds.
func (m *memory) level() float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	for k := range m.full {
		return m.settle(Ask{Key: k, Rate: m.last.Rate, Burst: m.last.Burst}, time.Now()).Left
	}
	return math.NaN()
}

// counts returns the number of calls, and of buckets visited in them.
func (m *memory) counts() (visits, buckets int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.visits, m.buckets
}

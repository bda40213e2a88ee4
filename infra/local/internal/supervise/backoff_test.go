package supervise

import (
	"testing"
	"time"
)

func TestThePauseDoublesUpToItsMaximum(t *testing.T) {
	t.Parallel()
	longest := func(bound time.Duration) time.Duration { return bound }
	want := []time.Duration{
		100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond, 800 * time.Millisecond,
		1600 * time.Millisecond, 3200 * time.Millisecond, 6400 * time.Millisecond, 10 * time.Second, 10 * time.Second,
	}
	for n, d := range want {
		if got := pause(n, longest); got != d {
			t.Errorf("restart %d waits up to %v, want %v", n, got, d)
		}
	}
	if got := pause(1000, longest); got != maxPause {
		t.Errorf("restart 1000 waits up to %v", got)
	}
}

func TestThePauseIsJitteredFully(t *testing.T) {
	t.Parallel()
	low, high := maxPause, time.Duration(0)
	for range 1000 {
		d := pause(3, jitter)
		low, high = min(low, d), max(high, d)
	}
	if low > 80*time.Millisecond || high < 720*time.Millisecond || high >= 800*time.Millisecond {
		t.Errorf("a thousand pauses lie between %v and %v, want all of 0 to 800ms", low, high)
	}
}

package supervise

import (
	"math/rand/v2"
	"time"
)

// Bounds of the pause before a crashed process is started again. The first
// restart is fast, because most crashes are a kill that somebody tries.
const (
	firstPause = 100 * time.Millisecond
	maxPause   = 10 * time.Second

	// stableFor is how long a process must have been ready for its earlier crashes
	// to be forgotten.
	stableFor = 10 * time.Second
)

// pause returns how long to wait before the nth restart in a row, n from 0 on:
// full jitter, a random time up to a bound that doubles. Processes that crash
// together, by a common cause, so do not come back together.
func pause(n int, random func(time.Duration) time.Duration) time.Duration {
	bound := maxPause
	if n < 7 { // 100 ms × 2⁷ is above the maximum
		bound = min(maxPause, firstPause<<n)
	}
	return random(bound)
}

func jitter(bound time.Duration) time.Duration { return rand.N(bound) }

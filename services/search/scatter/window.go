package scatter

import (
	"math"
	"slices"
	"sync"
	"time"
)

// samples bounds what a window remembers, and often how many new ones make it compute its quantile again.
const (
	samples = 1024
	often   = 16
)

// A window holds how long the last calls of a kind took, and tells their quantile.
//
// It has the first call to each shard alone, and each of them: one that was cut off counts with the time that it had taken, since it
// would have taken longer. Hedges are not in it: the ones that answer are the quick ones.
type window struct {
	quantile float64
	span     time.Duration // how old a sample may be
	least    int           // samples without which it says nothing

	mu     sync.Mutex // guards all below
	ring   [samples]sample
	next   int
	full   bool
	fresh  int // samples since the quantile was computed
	value  time.Duration
	known  bool
	at     time.Time // when the quantile was computed
	sorted []time.Duration
}

type sample struct {
	at   time.Time
	took time.Duration
}

func (w *window) record(took time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ring[w.next] = sample{time.Now(), took}
	if w.next++; w.next == samples {
		w.next, w.full = 0, true
	}
	w.fresh++
}

// get is the quantile, or false while there are too few samples.
func (w *window) get() (time.Duration, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	if w.fresh >= often || now.Sub(w.at) >= w.span/8 {
		w.compute(now)
	}
	return w.value, w.known
}

// compute takes the nearest rank: the smallest value that at least the quantile of the samples do not exceed.
func (w *window) compute(now time.Time) {
	w.fresh, w.at = 0, now
	w.sorted = w.sorted[:0]
	n := w.next
	if w.full {
		n = samples
	}
	for _, s := range w.ring[:n] {
		if now.Sub(s.at) <= w.span {
			w.sorted = append(w.sorted, s.took)
		}
	}
	if w.known = len(w.sorted) >= w.least; !w.known {
		return
	}
	slices.Sort(w.sorted)
	rank := int(math.Ceil(w.quantile * float64(len(w.sorted))))
	w.value = w.sorted[min(max(rank, 1), len(w.sorted))-1]
}

package scattersim

import (
	"slices"
	"time"
)

const (
	remembered = 1000 // latest calls, of which the quantile is taken
	refreshed  = 100  // calls between two looks at it; there is no hedge before the first
	saved      = 10   // hedges that a budget may save up
)

// hedging decides when another replica is asked as well.
type hedging struct {
	quantile, budget float64
	credit           float64
	latest           []time.Duration
	next             int // place in latest
	seen             int
	delay            time.Duration // 0: not known yet
}

// called earns credit for a call that had to be made.
func (h *hedging) called() { h.credit = min(h.credit+h.budget, saved) }

// spend takes the credit of a hedge, if there is one.
func (h *hedging) spend() bool {
	if h.credit < 1 {
		return false
	}
	h.credit--
	return true
}

// answered remembers how long a call took.
func (h *hedging) answered(took time.Duration) {
	if h.quantile == 0 {
		return
	}
	if len(h.latest) < remembered {
		h.latest = append(h.latest, took)
	} else {
		h.latest[h.next] = took
		h.next = (h.next + 1) % remembered
	}
	if h.seen++; h.seen%refreshed == 0 {
		sorted := slices.Sorted(slices.Values(h.latest))
		h.delay = sorted[min(int(h.quantile*float64(len(sorted))), len(sorted)-1)]
	}
}

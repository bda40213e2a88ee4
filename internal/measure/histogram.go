// Package measure counts requests and their latencies in fixed memory: since the beginning, and over a
// window that moves.
package measure

import (
	"math/bits"
	"time"
)

// The buckets of a histogram: sixteen to every power of two from a microsecond to 17 minutes, so that each
// latency is known within 6 %, in 3.5 KiB.
const (
	subBits = 4
	buckets = (30 - subBits + 1) << subBits
)

// histogram counts latencies. The zero value is empty.
type histogram struct {
	counts [buckets]uint32
	n      uint64
}

func (h *histogram) record(d time.Duration) {
	h.counts[bucket(d)]++
	h.n++
}

func (h *histogram) add(other *histogram) {
	for i, c := range other.counts {
		h.counts[i] += c
	}
	h.n += other.n
}

// quantile is the upper bound of the bucket with the latency that the share q of all does not exceed; 0 of none.
func (h *histogram) quantile(q float64) time.Duration {
	if h.n == 0 {
		return 0
	}
	rank := max(uint64(q*float64(h.n)+0.999999), 1)
	var seen uint64
	for i, c := range h.counts {
		if seen += uint64(c); seen >= rank {
			return upper(i)
		}
	}
	return upper(buckets - 1)
}

// bucket is the index of a latency: the first two ranges have width 1 µs, every power of two above doubles it.
func bucket(d time.Duration) int {
	v := uint64(max(d, 0) / time.Microsecond)
	shift := bits.Len64(v) - subBits - 1
	if shift <= 0 {
		return int(v)
	}
	return min(shift<<subBits+int(v>>shift), buckets-1)
}

// upper is the end of a bucket.
func upper(i int) time.Duration {
	if i < 2<<subBits {
		return time.Duration(i+1) * time.Microsecond
	}
	shift := i>>subBits - 1
	return time.Duration((uint64(i-shift<<subBits)+1)<<shift) * time.Microsecond
}

// Package merge puts the sorted hits of shards together, and keeps a place in the result, from which the next page begins.
package merge

import (
	"container/heap"
	"math"
	"strings"

	"github.com/flotilla-dev/flotilla/services/search/wire"
)

// Compare orders places: the higher score first, then the smaller id, by its bytes. Scores are not negative, so that the order of
// their bits is theirs, and no rounding moves a place.
func Compare(a, b wire.Place) int {
	switch {
	case a.Bits > b.Bits:
		return -1
	case a.Bits < b.Bits:
		return 1
	}
	return strings.Compare(a.ID, b.ID)
}

// Place is where a hit stands.
func Place(h *wire.Hit) wire.Place { return wire.Place{Bits: h.Bits, ID: h.ID} }

// maxBits are those of the highest score, infinity.
var maxBits = math.Float64bits(math.Inf(1))

// Valid tells whether the bits are those of a score.
func Valid(bits uint64) bool { return bits <= maxBits }

// Sorted tells whether hits have the right order, scores that are scores, and nothing twice.
func Sorted(hits []wire.Hit) bool {
	for i := range hits {
		if !Valid(hits[i].Bits) || i > 0 && Compare(Place(&hits[i-1]), Place(&hits[i])) >= 0 {
			return false
		}
	}
	return true
}

// A Merged hit tells which list it is from.
type Merged struct {
	wire.Hit
	List int
}

// Hits merges sorted lists and returns the first limit of all hits. Of what is in two lists the first list's is taken: a document
// that has moved to another shard is found once.
func Hits(lists [][]wire.Hit, limit int) []Merged {
	h := make(heads, 0, len(lists))
	for i, list := range lists {
		if len(list) > 0 {
			h = append(h, head{list, i})
		}
	}
	heap.Init(&h)
	merged := make([]Merged, 0, max(limit, 0))
	for len(merged) < limit && len(h) > 0 {
		first := &h[0]
		if n := len(merged); n == 0 || Compare(Place(&merged[n-1].Hit), Place(&first.rest[0])) != 0 {
			merged = append(merged, Merged{first.rest[0], first.list})
		}
		if first.rest = first.rest[1:]; len(first.rest) == 0 {
			heap.Pop(&h)
		} else {
			heap.Fix(&h, 0)
		}
	}
	return merged
}

// heads are the lists that have something left, the one with the first hit on top.
type heads []head

type head struct {
	rest []wire.Hit
	list int
}

func (h heads) Len() int      { return len(h) }
func (h heads) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h heads) Less(i, j int) bool {
	if c := Compare(Place(&h[i].rest[0]), Place(&h[j].rest[0])); c != 0 {
		return c < 0
	}
	return h[i].list < h[j].list
}
func (h *heads) Push(x any) { *h = append(*h, x.(head)) }
func (h *heads) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

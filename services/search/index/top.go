package index

import (
	"container/heap"
	"math"
	"slices"
	"strings"

	"github.com/flotilla-dev/flotilla/services/search/wire"
)

// top keeps the best of what it is offered: by score, the highest first, then by id. It is a heap whose root is the worst.
type top struct {
	limit int
	after *scored // only what comes after this counts; nil: everything
	kept  []scored
}

type scored struct {
	score   float64
	id      string
	version *version
}

func newTop(limit int, after *wire.Place) *top {
	t := &top{limit: limit}
	if after != nil {
		t.after = &scored{score: math.Float64frombits(after.Bits), id: after.ID}
	}
	return t
}

// order is below 0 when a comes before b.
func (a *scored) order(b *scored) int {
	switch {
	case a.score > b.score:
		return -1
	case a.score < b.score:
		return 1
	default:
		return strings.Compare(a.id, b.id)
	}
}

func (t *top) offer(score float64, v *version) {
	s := scored{score: score, id: v.id(), version: v}
	if t.after != nil && s.order(t.after) <= 0 {
		return
	}
	if len(t.kept) < t.limit {
		heap.Push(t, s)
		return
	}
	if s.order(&t.kept[0]) < 0 {
		t.kept[0] = s
		heap.Fix(t, 0)
	}
}

// Len, Less, Swap, Push and Pop make it a heap.
func (t *top) Len() int           { return len(t.kept) }
func (t *top) Less(i, j int) bool { return t.kept[i].order(&t.kept[j]) > 0 }
func (t *top) Swap(i, j int)      { t.kept[i], t.kept[j] = t.kept[j], t.kept[i] }
func (t *top) Push(x any)         { t.kept = append(t.kept, x.(scored)) }
func (t *top) Pop() any {
	last := t.kept[len(t.kept)-1]
	t.kept = t.kept[:len(t.kept)-1]
	return last
}

// hits are those kept, the best first.
func (t *top) hits(h *highlighter) []wire.Hit {
	slices.SortFunc(t.kept, func(a, b scored) int { return a.order(&b) })
	hits := make([]wire.Hit, len(t.kept))
	for i := range t.kept {
		hits[i] = h.hit(t.kept[i].version)
		hits[i].Bits = math.Float64bits(t.kept[i].score)
	}
	return hits
}

package index

import (
	"container/heap"
	"slices"
)

// groupMatcher matches any of several stems, as if they were one: what a prefix or a fuzzy word leads to. Its members are a heap by
// where they stand.
type groupMatcher struct {
	members []*member
	here    []*member
}

type member struct {
	*wordMatcher
	place  int // in the order of the stems
	weight float64
}

func newGroupMatcher(lists []postings, weights []float64, field int, c *clock) *groupMatcher {
	g := &groupMatcher{}
	for i, list := range lists {
		if w := newWordMatcher(list, field, c); w.at() != none {
			g.members = append(g.members, &member{wordMatcher: w, place: i, weight: weights[i]})
		}
	}
	heap.Init(g)
	return g
}

// Len, Less, Swap, Push and Pop make it a heap.
func (g *groupMatcher) Len() int           { return len(g.members) }
func (g *groupMatcher) Less(i, j int) bool { return g.members[i].number < g.members[j].number }
func (g *groupMatcher) Swap(i, j int)      { g.members[i], g.members[j] = g.members[j], g.members[i] }
func (g *groupMatcher) Push(x any)         { g.members = append(g.members, x.(*member)) }
func (g *groupMatcher) Pop() any {
	last := g.members[len(g.members)-1]
	g.members = g.members[:len(g.members)-1]
	return last
}

func (g *groupMatcher) at() uint64 {
	if len(g.members) == 0 {
		return none
	}
	return g.members[0].number
}

func (g *groupMatcher) seek(target uint64) uint64 {
	for g.at() < target {
		if g.members[0].seek(target) == none {
			heap.Pop(g)
		} else {
			heap.Fix(g, 0)
		}
	}
	return g.at()
}

// frequency adds up the stems' in their order, so that it is the same wherever it is computed.
func (g *groupMatcher) frequency() float64 {
	g.here = g.here[:0]
	g.gather(0, g.at())
	slices.SortFunc(g.here, func(a, b *member) int { return a.place - b.place })
	sum := 0.0
	for _, m := range g.here {
		sum += float64(m.weight * m.wordMatcher.frequency())
	}
	return sum
}

// gather finds the members at a number: in a heap they hang together from the root.
func (g *groupMatcher) gather(place int, number uint64) {
	if place >= len(g.members) || g.members[place].number != number {
		return
	}
	g.here = append(g.here, g.members[place])
	g.gather(2*place+1, number)
	g.gather(2*place+2, number)
}

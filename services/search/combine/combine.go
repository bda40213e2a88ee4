// Package combine makes one list of the lists of several words: it intersects them for AND and unites them for OR, and adds up what the
// words add to the score of each document.
package combine

import (
	"cmp"
	"slices"

	"github.com/flotilla-dev/flotilla/services/search/query"
	"github.com/flotilla-dev/flotilla/services/search/wire"
)

// Found is a document that matches.
type Found struct {
	Offset int64 // of its version in the log
	Score  float64
}

// Combine evaluates a query of words with AND and OR over the lists of its words, in preorder. The documents ascend by offset.
//
// Scores are added in preorder over all words that a document has, from the left, as an index that has the whole query does: floating
// point sums depend on their order, and these are equal to the last bit. A word below an AND counts where the AND matches.
func Combine(n *query.Node, lists []wire.Postings) []Found {
	c := combination{lists: lists, within: make([][][]int64, len(lists))}
	matching := c.match(n)
	found := make([]Found, len(matching))
	for i, offset := range matching {
		found[i].Offset = offset
	}
	for word, list := range lists {
		counts := list.Offsets
		for _, and := range c.within[word] {
			counts = intersect(counts, and)
		}
		place, next := 0, 0
		for i := range found {
			var has bool
			if place, has = seek(counts, place, found[i].Offset); has {
				next, _ = seek(list.Offsets, next, found[i].Offset)
				found[i].Score += list.Scores[next]
			}
		}
	}
	return found
}

type combination struct {
	lists  []wire.Postings
	word   int         // the next one, in preorder
	within [][][]int64 // for each word, what the ANDs match that it is a part of
}

func (c *combination) match(n *query.Node) []int64 {
	if n.Kind == query.Term {
		list := c.lists[c.word].Offsets
		c.word++
		return list
	}
	first := c.word
	var all []int64
	for i, child := range n.Nodes {
		switch matching := c.match(child); {
		case i == 0:
			all = matching
		case n.Kind == query.And:
			all = intersect(all, matching)
		default:
			all = unite(all, matching)
		}
	}
	if n.Kind == query.And {
		for word := first; word < c.word; word++ {
			c.within[word] = append(c.within[word], all)
		}
	}
	return all
}

// intersect goes through the shorter list and leaps in the longer one.
func intersect(a, b []int64) []int64 {
	if len(a) > len(b) {
		a, b = b, a
	}
	both := make([]int64, 0, len(a))
	next := 0
	for _, offset := range a {
		var has bool
		if next, has = seek(b, next, offset); has {
			both = append(both, offset)
		}
	}
	return both
}

func unite(a, b []int64) []int64 {
	either := make([]int64, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0] < b[0]:
			either, a = append(either, a[0]), a[1:]
		case a[0] > b[0]:
			either, b = append(either, b[0]), b[1:]
		default:
			either, a, b = append(either, a[0]), a[1:], b[1:]
		}
	}
	return append(append(either, a...), b...)
}

// seek finds an offset in an ascending list from a place on, in steps that double: lists of very different lengths cost as the shorter
// one does.
func seek(list []int64, from int, offset int64) (at int, has bool) {
	step := 1
	to := from
	for to < len(list) && list[to] < offset {
		from = to + 1
		to += step
		step *= 2
	}
	i, has := slices.BinarySearch(list[from:min(to+1, len(list))], offset)
	return from + i, has
}

// Sort puts the highest score first; what has the same score has no order yet.
func Sort(found []Found) {
	slices.SortFunc(found, func(a, b Found) int { return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Offset, b.Offset)) })
}

// Group is how many documents, of sorted ones, are the first n and all others with the score of the last of these.
func Group(found []Found, n int) int {
	n = min(n, len(found))
	for n > 0 && n < len(found) && found[n].Score == found[n-1].Score {
		n++
	}
	return n
}

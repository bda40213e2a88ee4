package combine

import (
	"fmt"
	"slices"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/flotilla-dev/flotilla/services/search/query"
	"github.com/flotilla-dev/flotilla/services/search/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func term(word string) *query.Node {
	return &query.Node{Kind: query.Term, Words: []string{word}}
}

// The lists of figure 7-2 of the book: documents with “cat”, and with “dog”.
func TestListsAreIntersectedAndUnited(t *testing.T) {
	cat := wire.Postings{Offsets: []int64{1, 2, 4, 7}, Scores: []float64{1, 2, 3, 4}}
	dog := wire.Postings{Offsets: []int64{2, 3, 7, 9}, Scores: []float64{0.5, 0.25, 0.125, 1}}
	both := &query.Node{Kind: query.And, Nodes: []*query.Node{term("cat"), term("dog")}}
	if got := fmt.Sprint(Combine(both, []wire.Postings{cat, dog})); got != "[{2 2.5} {7 4.125}]" {
		t.Error(got)
	}
	either := &query.Node{Kind: query.Or, Nodes: both.Nodes}
	if got := fmt.Sprint(Combine(either, []wire.Postings{cat, dog})); got != "[{1 1} {2 2.5} {3 0.25} {4 3} {7 4.125} {9 1}]" {
		t.Error(got)
	}
	joined := &query.Node{Kind: query.Or, Nodes: []*query.Node{both, term("cat")}}
	if got := fmt.Sprint(Combine(joined, []wire.Postings{cat, dog, cat})); got != "[{1 1} {2 4.5} {4 3} {7 8.125}]" {
		t.Error(got)
	}
	if got := fmt.Sprint(Combine(term("cat"), []wire.Postings{cat})); got != "[{1 1} {2 2} {4 3} {7 4}]" {
		t.Error(got)
	}
}

func tree(r *rapid.T, depth int) *query.Node {
	if depth == 0 || rapid.Bool().Draw(r, "leaf") {
		return term("w")
	}
	n := &query.Node{Kind: rapid.SampledFrom([]query.Kind{query.And, query.Or}).Draw(r, "kind")}
	for range rapid.IntRange(1, 3).Draw(r, "children") {
		n.Nodes = append(n.Nodes, tree(r, depth-1))
	}
	return n
}

// matches evaluates a query for one document in the plainest way; word counts the words met.
func matches(n *query.Node, has []bool, word *int) bool {
	if n.Kind == query.Term {
		*word++
		return has[*word-1]
	}
	result := n.Kind == query.And
	for _, child := range n.Nodes {
		if m := matches(child, has, word); n.Kind == query.And {
			result = result && m
		} else {
			result = result || m
		}
	}
	return result
}

// counting tells of each word whether it counts for one document: all ANDs that it is a part of match.
func counting(n *query.Node, has []bool, counts bool, word int) []bool {
	if n.Kind == query.Term {
		return []bool{counts && has[word]}
	}
	if ahead := word; n.Kind == query.And && !matches(n, has, &ahead) {
		counts = false
	}
	var all []bool
	for _, child := range n.Nodes {
		all = append(all, counting(child, has, counts, word+len(all))...)
	}
	return all
}

func TestAnyQueryFindsWhatOneDocumentAfterTheOtherWould(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		n := tree(r, 3)
		lists := make([]wire.Postings, len(n.Scoring()))
		for i := range lists {
			lists[i].Offsets = rapid.SliceOfDistinct(rapid.Int64Range(0, 40), func(o int64) int64 { return o }).Draw(r, "offsets")
			slices.Sort(lists[i].Offsets)
			for range lists[i].Offsets {
				lists[i].Scores = append(lists[i].Scores, rapid.Float64Range(0, 9).Draw(r, "score"))
			}
		}
		var want []Found
		for offset := range int64(41) {
			has, score := make([]bool, len(lists)), 0.0
			for i, list := range lists {
				has[i] = slices.Contains(list.Offsets, offset)
			}
			for i, counts := range counting(n, has, true, 0) {
				if counts {
					score += lists[i].Scores[slices.Index(lists[i].Offsets, offset)]
				}
			}
			if word := 0; matches(n, has, &word) {
				want = append(want, Found{offset, score})
			}
		}
		if got := Combine(n, lists); !slices.Equal(got, want) {
			r.Errorf("%v, want %v", got, want)
		}
	})
}

func TestAGroupEndsWhereTheScoreChanges(t *testing.T) {
	found := []Found{{5, 1}, {1, 3}, {2, 2}, {3, 2}, {4, 2}}
	Sort(found)
	if got := fmt.Sprint(found); got != "[{1 3} {2 2} {3 2} {4 2} {5 1}]" {
		t.Error(got)
	}
	for n, want := range map[int]int{0: 0, 1: 1, 2: 4, 3: 4, 4: 4, 5: 5, 9: 5} {
		if got := Group(found, n); got != want {
			t.Errorf("%d: %d, want %d", n, got, want)
		}
	}
}

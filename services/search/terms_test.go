package search

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/flotilla-dev/flotilla/services/search/query"
)

var overTerms = map[string]string{"SEARCH_DISTRIBUTION": "terms"}

// Figure 7-2 of the book: of “cat” and “dog” each is looked up by another leaf, and the root intersects what they find.
func TestEachWordGoesToAnotherLeaf(t *testing.T) {
	c := newCorpus(t, 1, 3)
	c.add(t, few()...)
	r := startRoot(t, c, map[string]string{"SEARCH_DISTRIBUTION": "terms", "SEARCH_HEDGE_BUDGET": "0"}) // a second leaf for a word is not meant here
	for range 20 {
		for _, l := range c.shards[0] {
			l.bodies = nil
		}
		if a := r.search("q", "cat AND dog"); ids(a) != "d4" || a.Total != 1 {
			t.Fatalf("%+v", a)
		}
		for i, l := range c.shards[0] {
			if len(l.bodies) > 1 {
				t.Errorf("leaf %d was asked for %v", i, l.bodies)
			}
		}
	}
	if a := r.search("q", "cat dog"); a.Total != 5 || len(a.Hits) != 5 || len(a.Hits[0].TitlePieces) == 0 {
		t.Errorf("%+v", a)
	}
}

func TestWordsOverLeavesAnswerAsOneIndexDoes(t *testing.T) {
	every, n := 100, 300
	if testing.Short() {
		every = 200
	}
	documents := glosses(t, every)
	all := slices.DeleteFunc(questions(documents, 3*n), func(q question) bool {
		node, err := query.Parse(q.text, query.Options{Operator: q.operator})
		return err != nil || query.Distributable(node) != nil
	})
	if len(all) < n {
		t.Fatalf("%d questions, want %d", len(all), n)
	}
	one, c := newSingle(), newCorpus(t, 1, 3)
	one.add(t, documents...)
	c.add(t, documents...)
	compare(t, startRoot(t, c, overTerms), one.Index, all)
}

// All documents have the same score, so that the order is that of ids, which postings do not have.
func TestPagesOverWordsJoinedAreTheWhole(t *testing.T) {
	c := newCorpus(t, 1, 2)
	for i := range 60 {
		c.add(t, doc(fmt.Sprintf("p%02d", (i*37)%60), "dog", ""))
	}
	r := startRoot(t, c, overTerms)
	var joined []string
	parameters := []string{"q", "dog", "limit", "7"}
	for {
		a := r.search(parameters...)
		joined = append(joined, ids(a))
		if a.Next == "" {
			break
		}
		c.add(t, doc(fmt.Sprintf("new%d", len(joined)), "dog", ""))
		parameters = []string{"q", "dog", "limit", "7", "after", a.Next}
	}
	got := strings.Fields(strings.Join(joined, " "))
	if len(got) != 60 || !slices.IsSorted(got) || len(slices.Compact(got)) != 60 {
		t.Errorf("%v", got)
	}
}

func TestWhatCannotBeDistributedIsRefused(t *testing.T) {
	c := newCorpus(t, 1, 1)
	c.add(t, few()...)
	r := startRoot(t, c, overTerms)
	for _, q := range []string{`"hot dog"`, "do*", "dog~", "-dog", "dog pos:noun", "*"} {
		r.refused(400, "query-invalid", "q", q)
	}
	r.refused(400, "parameter-invalid", "q", "dog", "facets", "pos")
}

// Without the list of a word other documents match, so there is no part of an answer.
func TestAWordThatNoLeafAnswersLeavesNoAnswer(t *testing.T) {
	c := newCorpus(t, 1, 2)
	c.add(t, few()...)
	r := startRoot(t, c, overTerms)
	for _, l := range c.shards[0] {
		l.refuse("/v1/terms", 500, "internal")
	}
	r.refused(503, "incomplete", "q", "dog cat")
	c.shards[0][0].misbehave(nil)
	if a := r.search("q", "dog cat"); a.Total != 5 {
		t.Errorf("one leaf is enough: %+v", a)
	}
	if a := r.search("q", "dog cat", "explain", "1"); a.Hits[0].Explanation == nil || a.Hits[0].Explanation.Score != a.Hits[0].Score {
		t.Errorf("%+v", a.Hits[0])
	}
}

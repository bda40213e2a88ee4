package index

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/services/search/query"
	"github.com/flotilla-dev/flotilla/services/search/text"
	"github.com/flotilla-dev/flotilla/services/search/wire"
)

// sparsely is which share of the glosses the test takes: one of so many.
const sparsely = 40

// TestGlossesAreAnsweredByShardsAsByOneIndex asks what real texts hold, which random ones do not: many words, most of them rare.
func TestGlossesAreAnsweredByShardsAsByOneIndex(t *testing.T) {
	all, err := glosses()
	if err != nil {
		t.Fatal(err)
	}
	var changes []Change
	for i := 0; i < len(all); i += sparsely {
		changes = append(changes, all[i])
	}
	whole := inBatches(t, changes)
	queries := glossQueries(t, changes, 60)
	for _, shards := range []int{1, 2, 3, 5, 8} {
		parts := make([][]Change, shards)
		for _, change := range changes {
			h := fnv.New64a()
			h.Write([]byte(change.ID))
			owner := h.Sum64() % uint64(shards)
			parts[owner] = append(parts[owner], change)
		}
		views := make([]*View, shards)
		for i := range parts {
			if views[i], err = inBatches(t, parts[i]).At(wire.Latest); err != nil {
				t.Fatal(err)
			}
		}
		for _, q := range queries {
			if got, want := sharesOf(t, views, q), single(t, whole, wire.Latest, q, 20).Hits; !reflect.DeepEqual(plain(got), plain(want)) {
				t.Fatalf("%d shards, %s\n got %v\nwant %v", shards, q, plain(got), plain(want))
			}
		}
	}
}

func inBatches(t *testing.T, changes []Change) *Index {
	t.Helper()
	x := New(Options{Versions: time.Minute})
	for len(changes) > 0 {
		size := min(batch, len(changes))
		if err := x.Apply(changes[:size]); err != nil {
			t.Fatal(err)
		}
		changes = changes[size:]
	}
	return x
}

// glossQueries take their words from the documents, and get some of them wrong.
func glossQueries(t *testing.T, changes []Change, count int) []*query.Node {
	t.Helper()
	random := rand.New(rand.NewPCG(11, 12))
	var queries []*query.Node
	for len(queries) < count {
		tokens := text.Tokens(changes[random.IntN(len(changes))].Document.Text)
		if len(tokens) < 4 {
			continue
		}
		a, b, c := tokens[0].Surface, tokens[1].Surface, tokens[2].Surface
		q, err := query.Parse([]string{
			a + " " + b, a + " AND " + c, fmt.Sprintf("%q", a+" "+b), a[:min(len(a), 3)] + "*", a + "x~ " + b + "~", "(" + a + " " + b + ") AND NOT " + c,
			"title:" + a + " " + c, "(" + a + " AND pos:noun) OR " + b[:min(len(b), 2)] + "*",
		}[random.IntN(8)], query.Options{})
		if err == nil { // some words are too short, and some cut in the middle of a letter
			queries = append(queries, q)
		}
	}
	return queries
}

// sharesOf plans over all shards and merges what they answer.
func sharesOf(t *testing.T, views []*View, q *query.Node) []wire.Hit {
	t.Helper()
	statistics := make([]wire.Statistics, len(views))
	for i, view := range views {
		statistics[i] = mustStatistics(t, view, q)
	}
	plan, err := Sum(q, statistics)
	if err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	var hits []wire.Hit
	for _, view := range views {
		answer, err := view.Search(context.Background(), wire.SearchRequest{Plan: plan, Limit: 20})
		if err != nil {
			t.Fatalf("%s: %v", q, err)
		}
		hits = append(hits, answer.Hits...)
	}
	return inOrderOfHits(hits, 20)
}

package index

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/services/search/document"
	"github.com/flotilla-dev/flotilla/services/search/query"
	"github.com/flotilla-dev/flotilla/services/search/wire"
)

func TestWhatCannotBeAppliedLeavesTheIndexAsItWas(t *testing.T) {
	other := put(7, "c", "", "dog")
	other.ID = "d"
	for name, changes := range map[string][]Change{
		"before the epoch":      {put(4, "c", "", "dog")},
		"twice":                 {put(6, "c", "", "dog"), put(6, "d", "", "dog")},
		"backwards":             {put(9, "c", "", "dog"), put(8, "d", "", "dog")},
		"without an id":         {{Offset: 7, Document: &document.Document{}}},
		"another id":            {other},
		"a label of two":        {put(7, "c", "", "dog", "pos", "a\x00b")},
		"the good with the bad": {put(6, "c", "", "dog"), remove(7, "")},
		"an id that is endless": {remove(7, strings.Repeat("x", longestID+1))},
	} {
		x := filled(t, put(5, "a", "", "dog"))
		if err := x.Apply(changes); err == nil {
			t.Errorf("%s: was applied", name)
		}
		if answer := single(t, x, wire.Latest, parsed(t, "dog"), 5); x.Epoch() != 6 || answer.Total != 1 {
			t.Errorf("%s: epoch %d, %d documents", name, x.Epoch(), answer.Total)
		}
	}
}

func TestAnIndexThatIsFullTakesDeletionsAlone(t *testing.T) {
	x := New(Options{MaxBytes: 4096})
	offset := int64(0)
	var err error
	for ; err == nil && offset < 1000; offset++ {
		err = x.Apply([]Change{put(offset, fmt.Sprint("d", offset), "", strings.Repeat("dog ", 50))})
	}
	if !errors.Is(err, ErrFull) || offset < 3 {
		t.Fatalf("after %d documents: %v", offset, err)
	}
	documents, _, bytes := x.Size()
	if documents != offset-1 || bytes > 8192 {
		t.Errorf("%d documents, %d bytes", documents, bytes)
	}
	if err := x.Apply([]Change{remove(offset, "d0"), remove(offset+1, "d1")}); err != nil {
		t.Errorf("deletions: %v", err)
	}
	x.Sweep()
	if err := x.Apply([]Change{put(offset+2, "new", "", "dog")}); err != nil {
		t.Errorf("after deletions: %v", err)
	}
}

func TestADumpThatIsWrongIsRefused(t *testing.T) {
	dump := func(changes ...Change) iter.Seq2[Change, error] {
		return func(yield func(Change, error) bool) {
			for _, change := range changes {
				if !yield(change, nil) {
					return
				}
			}
		}
	}
	broken := errors.New("broken")
	for name, documents := range map[string]iter.Seq2[Change, error]{
		"a deletion":      dump(remove(1, "a")),
		"out of order":    dump(put(2, "a", "", "dog"), put(1, "b", "", "dog")),
		"past its epoch":  dump(put(10, "a", "", "dog")),
		"twice the same":  dump(put(1, "a", "", "dog"), put(2, "a", "", "dog")),
		"an unread error": func(yield func(Change, error) bool) { yield(Change{}, broken) },
	} {
		if err := New(Options{}).Restore(10, documents); err == nil {
			t.Errorf("%s was restored", name)
		}
	}
	if err := filled(t, put(0, "a", "", "dog")).Restore(10, dump()); err == nil {
		t.Error("restored over what was there")
	}
}

func TestAPrefixOfTooManyWordsIsRefusedWhereverTheyAre(t *testing.T) {
	words := func(from, until int) string {
		var all []string
		for i := from; i < until; i++ {
			all = append(all, fmt.Sprintf("word%dx", i))
		}
		return strings.Join(all, " ")
	}
	q := parsed(t, "word*")
	statistics := func(from, until int) wire.Statistics {
		view, err := filled(t, put(0, "a", "", words(from, until))).At(wire.Latest)
		if err != nil {
			t.Fatal(err)
		}
		return mustStatistics(t, view, q)
	}
	for name, shards := range map[string][]wire.Statistics{
		"one shard":  {statistics(0, MostWords+1)},
		"two shards": {statistics(0, 3000), statistics(1097, MostWords+1)},
	} {
		_, err := Sum(q, shards)
		var many *TooManyWordsError
		if !errors.As(err, &many) || !strings.Contains(err.Error(), "word* matches more than 4,096 different words: add a letter") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if plan, err := Sum(q, []wire.Statistics{statistics(0, 3000), statistics(1096, MostWords)}); err != nil || len(plan.Nodes[0].Words) != MostWords {
		t.Errorf("as many as may be: %v", err)
	}
}

// A leaf takes a mebibyte: what Sum lets through surely fits, and what it refuses is not far from it.
func TestAPlanFitsIntoARequest(t *testing.T) {
	for _, c := range []struct{ nodes, letters int }{{32, 4}, {32, 40}, {1, 255}} {
		q := parsed(t, strings.TrimSpace(strings.Repeat("ab* ", c.nodes)))
		statistics := func(n int) []wire.Statistics {
			s := wire.Statistics{Nodes: make([]wire.NodeStatistics, c.nodes)}
			for i := range s.Nodes {
				for k := range n {
					s.Nodes[i].Words = append(s.Nodes[i].Words, wire.WordStatistics{Word: fmt.Sprintf("%0*d", c.letters, k), Documents: math.MaxInt64, Edits: 2})
				}
			}
			return []wire.Statistics{s}
		}
		most := MostPlan / c.nodes / (c.letters + entry)
		plan, err := Sum(q, statistics(most))
		if err != nil {
			t.Fatal(err)
		}
		body, err := json.Marshal(wire.SearchRequest{Plan: plan, Limit: MostHits, Facets: []string{"pos"}, After: &wire.Place{ID: strings.Repeat("x", 128)}})
		if err != nil {
			t.Fatal(err)
		}
		if len(body) > 1<<20 || len(body) < 1<<19 {
			t.Errorf("%d times %d words of %d letters: the request has %d bytes", c.nodes, most, c.letters, len(body))
		}
		_, err = Sum(q, statistics(most+1))
		var many *TooManyWordsError
		if !errors.As(err, &many) || many.Place != 0 || many.Together != c.nodes*(most+1) || !strings.Contains(err.Error(), "ab* the most of them: add a letter to it, or leave it out") {
			t.Errorf("one word more: %v", err)
		}
	}
}

func TestSumRefusesStatisticsOfAnotherQuery(t *testing.T) {
	view, err := filled(t, put(0, "a", "", "hot dog")).At(wire.Latest)
	if err != nil {
		t.Fatal(err)
	}
	two := mustStatistics(t, view, parsed(t, `"hot dog"`))
	for _, q := range []string{"dog", "dog cat"} {
		if _, err := Sum(parsed(t, q), []wire.Statistics{two}); err == nil {
			t.Errorf("%s: statistics of a phrase were added up", q)
		}
	}
}

func TestRequestsThatMakeNoSenseAreRefused(t *testing.T) {
	x := filled(t, put(0, "a", "", "dog dig"))
	view, err := x.At(wire.Latest)
	if err != nil {
		t.Fatal(err)
	}
	q := parsed(t, "dog OR di*")
	good, err := Sum(q, []wire.Statistics{mustStatistics(t, view, q)})
	if err != nil {
		t.Fatal(err)
	}
	word := func(words ...string) []wire.NodeStatistics {
		group := wire.NodeStatistics{}
		for _, w := range words {
			group.Words = append(group.Words, wire.WordStatistics{Word: w})
		}
		return []wire.NodeStatistics{good.Nodes[0], group}
	}
	many := make([]string, MostWords+1)
	for i := range many {
		many[i] = fmt.Sprintf("%05d", i)
	}
	for name, request := range map[string]wire.SearchRequest{
		"limit below 0":        {Plan: good, Limit: -1},
		"limit too great":      {Plan: good, Limit: MostHits + 1},
		"too many facets":      {Plan: good, Facets: make([]string, MostFacets+1)},
		"after no number":      {Plan: good, After: &wire.Place{Bits: math.Float64bits(math.NaN())}},
		"no query":             {Plan: wire.Plan{Nodes: good.Nodes}},
		"no statistics":        {Plan: wire.Plan{Query: q}},
		"words out of order":   {Plan: wire.Plan{Query: q, Nodes: word("b", "a")}},
		"words twice":          {Plan: wire.Plan{Query: q, Nodes: word("a", "a")}},
		"too many words":       {Plan: wire.Plan{Query: q, Nodes: word(many...)}},
		"other words":          {Plan: wire.Plan{Query: parsed(t, "cat OR di*"), Nodes: good.Nodes}},
		"more words":           {Plan: wire.Plan{Query: parsed(t, `"hot dog" OR di*`), Nodes: good.Nodes}},
		"an unknown operation": {Plan: wire.Plan{Query: &query.Node{Kind: "xor"}}},
	} {
		_, err := view.Search(context.Background(), request)
		var refused *RequestError
		if !errors.As(err, &refused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, err := range map[string]error{
		"offsets":  second(view.Documents(make([]int64, MostDocuments+1), nil)),
		"suggest":  second(view.Suggest(context.Background(), "")),
		"word":     second(view.Word(context.Background(), q, 10)),
		"no word":  second(view.Word(context.Background(), nil, 10)),
		"too long": second(view.Word(context.Background(), parsed(t, "dog"), 0)),
	} {
		var refused *RequestError
		if !errors.As(err, &refused) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// TestStatisticsThatContradictEachOtherGiveNumbers sends what no corpus can have: a leaf does not trust a root to be right.
func TestStatisticsThatContradictEachOtherGiveNumbers(t *testing.T) {
	x := filled(t, put(0, "a", "", "dog"))
	view, err := x.At(wire.Latest)
	if err != nil {
		t.Fatal(err)
	}
	q := parsed(t, "dog")
	for _, plan := range []wire.Plan{
		{}, {Documents: -5, Lengths: map[string]int64{"": -3}}, {Documents: 1, Lengths: map[string]int64{"": -3}},
		{Documents: math.MaxInt64, Lengths: map[string]int64{"": 1}}, {Documents: 1, Lengths: map[string]int64{"": math.MaxInt64}},
	} {
		for _, with := range []int64{math.MinInt64, -1, 0, 1, math.MaxInt64} {
			plan.Query, plan.Nodes = q, []wire.NodeStatistics{{Words: []wire.WordStatistics{{Word: "dog", Documents: with}}}}
			answer, err := view.Search(context.Background(), wire.SearchRequest{Plan: plan, Limit: 1})
			if err != nil || len(answer.Hits) != 1 {
				t.Fatalf("%+v: %+v, %v", plan, answer, err)
			}
			if score := math.Float64frombits(answer.Hits[0].Bits); math.IsNaN(score) || math.IsInf(score, 0) || score < 0 {
				t.Errorf("%d of %d documents, length %d: score %v", with, plan.Documents, plan.Lengths[""], score)
			}
		}
	}
}

// patient is a context that is over when it has been asked some times, as time would have it.
type patient struct {
	context.Context
	left, asked int
}

func (p *patient) Err() error {
	p.asked++
	if p.left--; p.left < 0 {
		return context.Canceled
	}
	return nil
}

func TestASearchEndsSoonAfterItsContext(t *testing.T) {
	var changes []Change
	for i := range int64(30000) {
		text := "dog cat horse"
		if i%2 == 0 {
			text = "cat dog hat"
		}
		changes = append(changes, put(i, fmt.Sprint("d", i), "", text, "pos", "noun"))
	}
	x := filled(t, changes...)
	view, err := x.At(wire.Latest)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"*", "dog", "dog AND cat", `"cat cat"`, "NOT dog", "NOT NOT dog", "hat AND horse", "title:dog", "do* ca*", "pos:noun"} {
		q := parsed(t, text)
		plan, err := Sum(q, []wire.Statistics{mustStatistics(t, view, q)})
		if err != nil {
			t.Fatal(err)
		}
		ctx := &patient{Context: context.Background(), left: 2}
		_, err = view.Search(ctx, wire.SearchRequest{Plan: plan, Limit: 10})
		if err == nil || ctx.asked > 4 { // the last time for the cause
			t.Errorf("%s: %v after the context was asked %d times", text, err, ctx.asked)
		}
	}
}

func TestWhoWaitsForAnEpochWakesWhenItIsReached(t *testing.T) {
	x := New(Options{})
	if err := x.Wait(context.Background(), 0); err != nil {
		t.Fatal(err)
	}
	woken := make(chan error, 2)
	go func() { woken <- x.Wait(context.Background(), 3) }()
	go func() { woken <- x.Wait(context.Background(), 10) }()
	for i := range int64(3) {
		if err := x.Apply([]Change{put(i, "a", "", "dog")}); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-woken; err != nil {
		t.Fatal(err)
	}
	x.Advance(10)
	if err := <-woken; err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if err := x.Wait(ctx, 11); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waiting in vain: %v", err)
	}
}

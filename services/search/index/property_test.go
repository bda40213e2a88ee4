package index

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/flotilla-dev/flotilla/services/search/query"
	"github.com/flotilla-dev/flotilla/services/search/wire"
)

var allFacets = []string{"pos", "topic"}

// plain is what of hits is compared with the oracle.
func plain(hits []wire.Hit) []found {
	all := make([]found, len(hits))
	for i, hit := range hits {
		all[i] = found{ID: hit.ID, Offset: hit.Offset, Bits: hit.Bits}
	}
	return all
}

// answerOf answers by one index from its own statistics.
func answerOf(t *rapid.T, x *Index, epoch int64, q *query.Node) wire.SearchAnswer {
	answer, err := Single(context.Background(), x, wire.SearchRequest{
		Epoch: epoch, Plan: wire.Plan{Query: q}, Limit: MostHits, Facets: allFacets,
	})
	if err != nil {
		t.Fatalf("epoch %d of %d to %d, %s: %v", epoch, x.Oldest(), x.Epoch(), q, err)
	}
	return answer
}

// same holds an answer against the oracle.
func same(t *rapid.T, got wire.SearchAnswer, o *oracle, q *query.Node) {
	hits, counts := o.search(q)
	if !reflect.DeepEqual(plain(got.Hits), hits) {
		t.Fatalf("%s\n got %v\nwant %v", q, plain(got.Hits), hits)
	}
	if !reflect.DeepEqual(got.Facets, counts) || got.Total != int64(len(hits)) || got.Documents != int64(len(o.documents)) {
		t.Fatalf("%s: facets %v total %d of %d, want %v %d of %d", q, got.Facets, got.Total, got.Documents, counts, len(hits), len(o.documents))
	}
}

func TestEveryKeptEpochIsAnsweredAsTheFormulasSay(t *testing.T) {
	check(t, func(t *rapid.T) {
		changes := genChanges(60).Draw(t, "log")
		x := replayed(t, changes, Options{Versions: time.Minute})
		for range 5 {
			epoch := rapid.Int64Range(x.Oldest(), x.Epoch()).Draw(t, "epoch")
			q := genQuery(3).Draw(t, "query")
			same(t, answerOf(t, x, epoch, q), stateAt(changes, epoch), q)
		}
	})
}

func TestEpochsBeforeTheWindowAreGone(t *testing.T) {
	check(t, func(t *rapid.T) {
		x := replayed(t, genChanges(60).Draw(t, "log"), Options{Versions: time.Minute, MostChanges: 20})
		if oldest := x.Oldest(); oldest > 0 {
			if _, err := x.At(rapid.Int64Range(0, oldest-1).Draw(t, "epoch")); !errors.Is(err, ErrGone) {
				t.Fatalf("before %d: %v", oldest, err)
			}
		}
		if kept := len(x.totals.past); kept > 20+20+1 {
			t.Fatalf("%d changes are kept apart", kept)
		}
	})
}

// sharded divides changes by id; each shard has offsets of its own. Moment m of the whole log is epoch of[m] of a shard.
type sharded struct {
	indexes []*Index
	of      [][]int64
}

func divide(t *rapid.T, changes []Change, shards int) *sharded {
	s := &sharded{of: make([][]int64, shards)}
	parts := make([][]Change, shards)
	for moment := 0; ; moment++ {
		for i := range shards {
			s.of[i] = append(s.of[i], int64(len(parts[i])))
		}
		if moment == len(changes) {
			break
		}
		change := changes[moment]
		h := fnv.New64a()
		h.Write([]byte(change.ID))
		owner := int(h.Sum64() % uint64(shards))
		change.Offset = int64(len(parts[owner]))
		parts[owner] = append(parts[owner], change)
	}
	for i := range shards {
		s.indexes = append(s.indexes, replayed(t, parts[i], Options{Versions: time.Hour}))
	}
	return s
}

// views are those of a moment.
func (s *sharded) views(t *rapid.T, moment int) []*View {
	views := make([]*View, len(s.indexes))
	for i, x := range s.indexes {
		view, err := x.At(s.of[i][moment])
		if err != nil {
			t.Fatal(err)
		}
		views[i] = view
	}
	return views
}

func planOf(t *rapid.T, views []*View, q *query.Node) wire.Plan {
	statistics := make([]wire.Statistics, len(views))
	for i, view := range views {
		var err error
		if statistics[i], err = view.Statistics(context.Background(), q); err != nil {
			t.Fatal(err)
		}
	}
	plan, err := Sum(q, statistics)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

func TestShardsAnswerTogetherAsOneIndexDoes(t *testing.T) {
	for _, shards := range []int{1, 2, 3, 5, 8} {
		check(t, func(t *rapid.T) {
			changes := genChanges(50).Draw(t, "log")
			whole := replayed(t, changes, Options{Versions: time.Hour})
			parts := divide(t, changes, shards)
			moment := rapid.IntRange(0, len(changes)).Draw(t, "moment")
			epoch := int64(0)
			if moment > 0 {
				epoch = changes[moment-1].Offset + 1
			}
			q := genQuery(3).Draw(t, "query")
			one := answerOf(t, whole, epoch, q)
			views := parts.views(t, moment)
			limit := rapid.IntRange(1, 20).Draw(t, "limit")
			merged := gathered(t, views, planOf(t, views, q), limit)
			if len(one.Hits) > limit {
				one.Hits = one.Hits[:limit]
			}
			compareIgnoringOffsets(t, q, merged, one)
		})
	}
}

// gathered merges what the shards answer.
func gathered(t *rapid.T, views []*View, plan wire.Plan, limit int) wire.SearchAnswer {
	sum := wire.SearchAnswer{Facets: map[string]map[string]int{"pos": {}, "topic": {}}}
	for _, view := range views {
		answer, err := view.Search(context.Background(), wire.SearchRequest{Plan: plan, Limit: limit, Facets: allFacets})
		if err != nil {
			t.Fatal(err)
		}
		sum.Total += answer.Total
		sum.Documents += answer.Documents
		sum.Hits = append(sum.Hits, answer.Hits...)
		for name, values := range answer.Facets {
			for value, count := range values {
				sum.Facets[name][value] += count
			}
		}
	}
	sum.Hits = inOrderOfHits(sum.Hits, limit)
	return sum
}

func inOrderOfHits(hits []wire.Hit, limit int) []wire.Hit {
	slices.SortFunc(hits, func(a, b wire.Hit) int {
		return cmp.Or(cmp.Compare(math.Float64frombits(b.Bits), math.Float64frombits(a.Bits)), strings.Compare(a.ID, b.ID))
	})
	return hits[:min(limit, len(hits))]
}

func compareIgnoringOffsets(t *rapid.T, q *query.Node, got, want wire.SearchAnswer) {
	for _, answer := range []*wire.SearchAnswer{&got, &want} {
		for i := range answer.Hits {
			answer.Hits[i].Offset = 0
		}
	}
	if len(got.Hits)+len(want.Hits) > 0 && !reflect.DeepEqual(got.Hits, want.Hits) {
		t.Fatalf("%s\n got %+v\nwant %+v", q, got.Hits, want.Hits)
	}
	if got.Total != want.Total || got.Documents != want.Documents || !reflect.DeepEqual(got.Facets, want.Facets) {
		t.Fatalf("%s: got %+v, want %+v", q, got, want)
	}
}

func TestADumpAnswersAsTheIndexThatReplayedTheLog(t *testing.T) {
	check(t, func(t *rapid.T) {
		changes := genChanges(60).Draw(t, "log")
		h := &hand{now: time.Unix(0, 0)}
		replay := New(Options{Versions: time.Hour, Now: h.time})
		half := rapid.IntRange(0, len(changes)).Draw(t, "half")
		apply(t, replay, h, changes[:half])
		restored := New(Options{Versions: time.Hour, Now: h.time})
		dumped := rapid.Int64Range(replay.Oldest(), replay.Epoch()).Draw(t, "dumped")
		restore(t, restored, replay, dumped)
		if restored.Epoch() != dumped || restored.Oldest() != dumped {
			t.Fatalf("restored %d to %d of a dump at %d", restored.Oldest(), restored.Epoch(), dumped)
		}
		if kept := len(restored.totals.past); kept > 0 {
			t.Fatalf("%d changes before the dump are kept apart: nobody can ask for them", kept)
		}
		apply(t, replay, h, changes[half:])
		rest := slices.DeleteFunc(slices.Clone(changes), func(c Change) bool { return c.Offset < dumped })
		apply(t, restored, h, rest)
		q := genQuery(3).Draw(t, "query")
		epoch := rapid.Int64Range(dumped, restored.Epoch()).Draw(t, "epoch")
		got, want := answerOf(t, restored, epoch, q), answerOf(t, replay, epoch, q)
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%s\n got %+v\nwant %+v", q, got, want)
		}
	})
}

// restore dumps an epoch of one index into another.
func restore(t *rapid.T, into, from *Index, epoch int64) {
	view, err := from.At(epoch)
	if err != nil {
		t.Fatal(err)
	}
	err = into.Restore(epoch, func(yield func(Change, error) bool) {
		if err := view.Dump(func(c Change) bool { return yield(c, nil) }); err != nil {
			yield(Change{}, err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestPagesTogetherAreTheWholeAnswer(t *testing.T) {
	check(t, func(t *rapid.T) {
		x := replayed(t, genChanges(60).Draw(t, "log"), Options{Versions: time.Hour})
		view, err := x.At(wire.Latest)
		if err != nil {
			t.Fatal(err)
		}
		q := genQuery(2).Draw(t, "query")
		whole := answerOf(t, x, wire.Latest, q)
		request := wire.SearchRequest{Plan: planOf(t, []*View{view}, q), Limit: rapid.IntRange(1, 4).Draw(t, "limit")}
		pages := []wire.Hit{}
		for {
			page, err := view.Search(context.Background(), request)
			if err != nil {
				t.Fatal(err)
			}
			if page.Total != whole.Total {
				t.Fatalf("%s: total %d, then %d", q, whole.Total, page.Total)
			}
			if len(page.Hits) == 0 || len(pages) > len(whole.Hits) {
				break
			}
			pages = append(pages, page.Hits...)
			last := page.Hits[len(page.Hits)-1]
			request.After = &wire.Place{Bits: last.Bits, ID: last.ID}
		}
		if !reflect.DeepEqual(pages, whole.Hits) {
			t.Fatalf("%s\n got %v\nwant %v", q, plain(pages), plain(whole.Hits))
		}
	})
}

func TestAnExplanationHasTheBitsOfTheScore(t *testing.T) {
	check(t, func(t *rapid.T) {
		changes := genChanges(60).Draw(t, "log")
		x := replayed(t, changes, Options{Versions: time.Minute})
		epoch := rapid.Int64Range(x.Oldest(), x.Epoch()).Draw(t, "epoch")
		view, err := x.At(epoch)
		if err != nil {
			t.Fatal(err)
		}
		q := genQuery(2).Draw(t, "query")
		plan := planOf(t, []*View{view}, q)
		hits, _ := stateAt(changes, epoch).search(q)
		want := make(map[string]uint64)
		for _, hit := range hits {
			want[hit.ID] = hit.Bits
		}
		for _, d := range stateAt(changes, epoch).documents {
			explained, err := view.Explain(plan, d.id)
			if err != nil {
				t.Fatal(err)
			}
			bits, matches := want[d.id]
			if math.Float64bits(explained.Score) != bits || matches == strings.HasPrefix(explained.About, "does not match") {
				t.Fatalf("%s of %s: %+v, want %v", q, d.id, explained, math.Float64frombits(bits))
			}
		}
		if _, err := view.Explain(plan, "nobody"); !errors.Is(err, ErrUnknown) {
			t.Fatalf("an unknown document: %v", err)
		}
	})
}

func TestListsOfWordsAddUpToTheScoresOfASearch(t *testing.T) {
	check(t, func(t *rapid.T) {
		changes := genChanges(60).Draw(t, "log")
		x := replayed(t, changes, Options{Versions: time.Minute})
		epoch := rapid.Int64Range(x.Oldest(), x.Epoch()).Draw(t, "epoch")
		view, err := x.At(epoch)
		if err != nil {
			t.Fatal(err)
		}
		q := &query.Node{Kind: query.Or}
		for range rapid.IntRange(1, 3).Draw(t, "words") {
			n := &query.Node{Kind: query.Term}
			genWords(t, n)
			q.Nodes = append(q.Nodes, n)
		}
		sums := make(map[int64]float64)
		for _, n := range q.Nodes {
			list, err := view.Word(context.Background(), n, 1000)
			if err != nil {
				t.Fatal(err)
			}
			if list.Epoch != epoch || !slices.IsSorted(list.Offsets) {
				t.Fatalf("%+v", list)
			}
			for i, offset := range list.Offsets {
				sums[offset] += list.Scores[i]
			}
		}
		hits, _ := stateAt(changes, epoch).search(q)
		if len(hits) != len(sums) {
			t.Fatalf("%d documents, want %d", len(sums), len(hits))
		}
		for _, hit := range hits {
			if math.Float64bits(sums[hit.Offset]) != hit.Bits {
				t.Fatalf("%s: %v, want %v", hit.ID, sums[hit.Offset], math.Float64frombits(hit.Bits))
			}
		}
	})
}

// TestManyNearWordsAddUpInTheirOrder has documents with many words near to one, so that another order of the sum has other bits.
func TestManyNearWordsAddUpInTheirOrder(t *testing.T) {
	near := []string{"zabcdeq", "zabcdxq", "abcdeq", "zabceq", "zabcdeqr", "xabcdeq", "zbacdeq", "zabcdek", "zzabcdeqq", "zaxxdeq", "zabcdeqw"}
	random := rand.New(rand.NewPCG(9, 10))
	var changes []Change
	for offset := range int64(200) {
		var words []string
		for range 1 + random.IntN(20) {
			words = append(words, near[random.IntN(len(near))])
		}
		changes = append(changes, put(offset, fmt.Sprint("d", offset), "", strings.Join(words, " ")))
	}
	holds(t, filled(t, changes...), wire.Latest, parsed(t, "zabcdeq~2"), stateAt(changes, int64(len(changes))))
}

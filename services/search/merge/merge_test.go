package merge

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/flotilla-dev/flotilla/services/search/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func hit(score float64, id string) wire.Hit {
	return wire.Hit{ID: id, Bits: math.Float64bits(score)}
}

func ids(hits []Merged) (all []string) {
	for _, h := range hits {
		all = append(all, fmt.Sprintf("%s@%d", h.ID, h.List))
	}
	return all
}

func TestHigherScoresAreFirstAndThenSmallerIds(t *testing.T) {
	lists := [][]wire.Hit{
		{hit(3, "b"), hit(1, "x")},
		{},
		{hit(3, "a"), hit(2, "z"), hit(1, "X")},
	}
	if got := fmt.Sprint(ids(Hits(lists, 10))); got != "[a@2 b@0 z@2 X@2 x@0]" {
		t.Error(got)
	}
	if got := fmt.Sprint(ids(Hits(lists, 2))); got != "[a@2 b@0]" {
		t.Error(got)
	}
	if got := Hits(lists, 0); len(got) != 0 {
		t.Error(got)
	}
	if got := Hits(nil, 5); len(got) != 0 {
		t.Error(got)
	}
}

// Two scores that print alike are not alike.
func TestTheLastBitOfAScoreDecides(t *testing.T) {
	little := math.Nextafter(1.5, 2)
	if got := fmt.Sprint(ids(Hits([][]wire.Hit{{hit(1.5, "a")}, {hit(little, "b")}}, 2))); got != "[b@1 a@0]" {
		t.Error(got)
	}
}

func TestWhatIsInTwoListsIsFoundOnce(t *testing.T) {
	if got := fmt.Sprint(ids(Hits([][]wire.Hit{{hit(2, "a"), hit(1, "b")}, {hit(2, "a"), hit(1, "c")}}, 9))); got != "[a@0 b@0 c@1]" {
		t.Error(got)
	}
}

func TestAListThatIsNotSortedIsFound(t *testing.T) {
	for _, wrong := range [][]wire.Hit{
		{hit(1, "a"), hit(2, "b")}, {hit(1, "b"), hit(1, "a")}, {hit(1, "a"), hit(1, "a")}, {hit(-1, "a")}, {hit(math.NaN(), "a")},
	} {
		if Sorted(wrong) {
			t.Errorf("%v passes", wrong)
		}
	}
	if !Sorted([]wire.Hit{hit(math.Inf(1), "a"), hit(2, "a"), hit(2, "b"), hit(0, "")}) {
		t.Error("a sorted list does not pass")
	}
}

// whole draws a sorted list in which many scores are equal.
func whole(r *rapid.T) []wire.Hit {
	scores := rapid.SliceOfN(rapid.SampledFrom([]float64{0, 0.5, 1, math.Nextafter(1, 2), 7}), 0, 60).Draw(r, "scores")
	all := make([]wire.Hit, len(scores))
	for i, score := range scores {
		all[i] = hit(score, fmt.Sprintf("d%d", i))
	}
	slices.SortFunc(all, func(a, b wire.Hit) int { return Compare(Place(&a), Place(&b)) })
	return all
}

func split(r *rapid.T, all []wire.Hit) [][]wire.Hit {
	lists := make([][]wire.Hit, rapid.IntRange(1, 9).Draw(r, "shards"))
	for _, h := range all {
		i := rapid.IntRange(0, len(lists)-1).Draw(r, "shard")
		lists[i] = append(lists[i], h)
	}
	return lists
}

func plain(merged []Merged) []wire.Hit {
	all := make([]wire.Hit, 0, len(merged))
	for _, m := range merged {
		all = append(all, m.Hit)
	}
	return all
}

func TestTheMergeOfAnySplitIsTheWhole(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		all := whole(r)
		limit := rapid.IntRange(0, 70).Draw(r, "limit")
		got := plain(Hits(split(r, all), limit))
		if want := all[:min(limit, len(all))]; len(got) != len(want) || len(want) > 0 && !reflect.DeepEqual(got, want) {
			r.Errorf("%v, want %v", got, want)
		}
	})
}

// behind is what a leaf answers: the first limit of its hits behind a place.
func behind(list []wire.Hit, after *wire.Place, limit int) []wire.Hit {
	from := 0
	if after != nil {
		from, _ = slices.BinarySearchFunc(list, *after, func(h wire.Hit, p wire.Place) int {
			if Compare(Place(&h), p) <= 0 {
				return -1
			}
			return 1
		})
	}
	return list[from:min(from+limit, len(list))]
}

func TestPagesJoinedAreTheWholeWithNothingTwiceAndNothingLost(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		all := whole(r)
		lists := split(r, all)
		limit := rapid.IntRange(1, 12).Draw(r, "limit")
		query := QueryOf("q")
		epochs := make([]int64, len(lists))
		var joined []wire.Hit
		var after *wire.Place
		for range len(all) + 2 {
			parts := make([][]wire.Hit, len(lists))
			for i, list := range lists {
				parts[i] = behind(list, after, limit)
			}
			page := plain(Hits(parts, limit))
			if len(page) == 0 {
				break
			}
			joined = append(joined, page...)
			written := Cursor{Epochs: epochs, After: Place(&page[len(page)-1])}
			read, err := Parse(written.String(query), query, len(lists))
			if err != nil {
				r.Fatal(err)
			}
			after = &read.After
		}
		if len(joined) != len(all) || len(all) > 0 && !reflect.DeepEqual(joined, all) {
			r.Errorf("%v, want %v", joined, all)
		}
	})
}

func TestACursorIsReadAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		c := Cursor{
			Epochs: rapid.SliceOfN(rapid.Int64Range(-1, math.MaxInt64-1), 1, MaxShards).Draw(r, "epochs"),
			After:  wire.Place{Bits: rapid.Uint64Range(0, maxBits).Draw(r, "bits"), ID: rapid.StringMatching(`[!-~]{1,128}`).Draw(r, "id")},
		}
		query := QueryOf(rapid.String().Draw(r, "query"))
		text := c.String(query)
		if len(text) > MaxCursor {
			r.Errorf("%d bytes, at most %d are read", len(text), MaxCursor)
		}
		if back, err := Parse(text, query, len(c.Epochs)); err != nil || !reflect.DeepEqual(*back, c) {
			r.Errorf("%+v %v, want %+v", back, err, c)
		}
		if _, err := Parse(text, QueryOf("another"), len(c.Epochs)); !errors.Is(err, ErrOther) {
			r.Errorf("for another query: %v", err)
		}
		if _, err := Parse(text, query, len(c.Epochs)+1); !errors.Is(err, ErrOther) {
			r.Errorf("for more shards: %v", err)
		}
	})
}

func TestWhatIsNoCursorIsRefused(t *testing.T) {
	good := (&Cursor{Epochs: []int64{1, 300}, After: wire.Place{Bits: 7, ID: "a"}}).String(QueryOf("q"))
	raw, err := base64.RawURLEncoding.DecodeString(good)
	if err != nil {
		t.Fatal(err)
	}
	changed := func(change func([]byte) []byte) string {
		return base64.RawURLEncoding.EncodeToString(change(slices.Clone(raw)))
	}
	for name, text := range map[string]string{
		"nothing":      "",
		"no base64":    "!!!!",
		"padded":       good + "==",
		"cut":          good[:len(good)-8],
		"version":      changed(func(b []byte) []byte { b[0] = 2; return b }),
		"no shard":     changed(func(b []byte) []byte { b[9] = 0; return b }),
		"too many":     changed(func(b []byte) []byte { return append(append(b[:9:9], 0xff, 0x7f), b[10:]...) }),
		"long number":  changed(func(b []byte) []byte { return append(append(b[:10:10], 0x82, 0x00), b[11:]...) }),
		"no score":     changed(func(b []byte) []byte { b[13] = 0xff; return b }),
		"id of spaces": changed(func(b []byte) []byte { b[len(b)-1] = ' '; return b }),
		"no id":        changed(func(b []byte) []byte { return b[:len(b)-1] }),
		"long id":      changed(func(b []byte) []byte { return append(b, strings.Repeat("x", MaxID)...) }),
		"much":         strings.Repeat("A", MaxCursor+1),
	} {
		if c, err := Parse(text, QueryOf("q"), 2); !errors.Is(err, ErrCursor) {
			t.Errorf("%s: %+v %v", name, c, err)
		}
	}
}

// The parts of an identity do not run into each other.
func TestQueriesAreToldApart(t *testing.T) {
	if QueryOf("ab", "c") == QueryOf("a", "bc") || QueryOf("a") == QueryOf("a", "") {
		t.Error("two queries have one identity")
	}
}

func FuzzCursor(f *testing.F) {
	query := QueryOf("q")
	f.Add((&Cursor{Epochs: []int64{1, LeftOut}, After: wire.Place{Bits: 7, ID: "a"}}).String(query))
	f.Add("AQ")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse(text, query, 2)
		if err != nil {
			return
		}
		if c.String(query) != text {
			t.Errorf("%q is read as %+v, which is written %q", text, c, c.String(query))
		}
	})
}

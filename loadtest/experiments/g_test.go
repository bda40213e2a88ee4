package experiments

import (
	"encoding/json"
	"math"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

func TestAnswersDifferInAnythingThatAReaderSees(t *testing.T) {
	t.Parallel()
	good := func() searchAnswer {
		return searchAnswer{status: 200, Total: 2, Next: "x", Hits: []searchHit{{"a", 2.5}, {"b", 1.25}}, Facets: map[string]map[string]int{"pos": {"noun": 2}}}
	}
	for name, change := range map[string]func(*searchAnswer){
		"status":      func(a *searchAnswer) { a.status = 400 },
		"total":       func(a *searchAnswer) { a.Total = 3 },
		"order":       func(a *searchAnswer) { a.Hits[0], a.Hits[1] = a.Hits[1], a.Hits[0] },
		"document":    func(a *searchAnswer) { a.Hits[1].ID = "c" },
		"fewer":       func(a *searchAnswer) { a.Hits = a.Hits[:1] },
		"score":       func(a *searchAnswer) { a.Hits[1].Score += 2e-6 },
		"no number":   func(a *searchAnswer) { a.Hits[1].Score = math.NaN() },
		"facet":       func(a *searchAnswer) { a.Facets["pos"]["noun"]++ },
		"no facets":   func(a *searchAnswer) { a.Facets = nil },
		"end of page": func(a *searchAnswer) { a.Next = "" },
	} {
		a, b := good(), good()
		change(&b)
		if why, _ := a.differs(b); why == "" {
			t.Errorf("%s: no difference", name)
		}
	}
	a, b := good(), good()
	b.Hits[0].Score += 5e-7
	b.Next = "another cursor"
	if why, bits := a.differs(b); why != "" || bits != 1 {
		t.Errorf("%q, %d scores in their last bits", why, bits)
	}
}

func TestQueriesAreTheSameInEveryRunAndOfAllKinds(t *testing.T) {
	t.Parallel()
	documents := []searchDocument{
		{ID: "1", Title: "domestic animals", Text: "a genus of mammals with whiskers; crème brûlée"},
		{ID: "2", Title: "mountain railway", Text: "the steepest railways that climb without cables"},
	}
	one, two := searchQueries(documents, 1001, 3), searchQueries(documents, 1001, 3)
	kinds := map[string]int{}
	for i := range one {
		if one[i].Encode() != two[i].Encode() {
			t.Fatalf("query %d differs", i)
		}
		for _, mark := range []string{`"`, "*", "~", "NOT", "title:", "pos:", "AND", "OR", "("} {
			if strings.Contains(one[i].Get("q"), mark) {
				kinds[mark]++
			}
		}
		if one[i].Get("facets") != "" {
			kinds["facets"]++
		}
		if one[i].Get("operator") == "and" {
			kinds["and"]++
		}
	}
	if len(kinds) != 11 {
		t.Errorf("kinds: %v", kinds)
	}
	if other := searchQueries(documents, 1001, 4); other[0].Encode() == one[0].Encode() && other[1].Encode() == one[1].Encode() {
		t.Error("another seed changes nothing")
	}
}

func TestCopiesOfDocumentsAreDocumentsOfTheirOwn(t *testing.T) {
	t.Parallel()
	few := thinned([]searchDocument{{ID: "a", Title: "t"}, {ID: "b"}, {ID: "c", Title: "u"}, {ID: "d"}}, 2)
	if len(few) != 2 || few[0].ID != "a" || few[1].ID != "c" {
		t.Fatalf("%+v", few)
	}
	ids := map[string]bool{}
	for _, d := range manifold(few, 10) {
		ids[d.ID] = true
	}
	if len(ids) != 20 || !ids["a"] || !ids["c-10"] {
		t.Errorf("%v", ids)
	}
}

func TestAStandInIsSlowAsOftenAsItIsTold(t *testing.T) {
	t.Parallel()
	slow, both := 0, 0
	const n = 100_000
	for i := range n {
		word := url.Values{"w": {string(rune('a'+i%26)) + strings.Repeat("x", i%7) + time.Duration(i).String()}}.Encode()
		one, two := drawn("slow", "1-0", word) < 0.01, drawn("slow", "1-1", word) < 0.01
		if one != (drawn("slow", "1-0", word) < 0.01) {
			t.Fatal("asking again changes it")
		}
		if one {
			slow++
			if two {
				both++
			}
		}
	}
	if math.Abs(float64(slow)/n-0.01) > 0.0015 || both > 40 {
		t.Errorf("%d of %d slow, with their twins %d", slow, n, both)
	}
}

func TestAStandInAnswersAsALeaf(t *testing.T) {
	g := &rig.Rig{Dir: t.TempDir(), Root: "../..", Log: t.Logf}
	defer g.Close()
	s := &standins{base: time.Millisecond, failing: 1}
	shards, err := s.start(g, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	addr, _, _ := strings.Cut(shards[0], "/")
	c := newSearchClient(addr)
	defer c.close()
	var statistics struct {
		Documents int64
		Nodes     []struct {
			Words []struct {
				Word string
			}
		}
	}
	node := `{"kind": "and", "nodes": [{"kind": "term", "words": ["dog"]}, {"kind": "term", "words": ["cat"]}]}`
	resp, err := c.do(t.Context(), http.MethodPost, "/v1/statistics", []byte(`{"query": `+node+`}`), &statistics)
	if err != nil || resp.StatusCode != 200 || statistics.Documents != standinDocuments || len(statistics.Nodes) != 2 || statistics.Nodes[1].Words[0].Word != "cat" {
		t.Errorf("%+v, %v", statistics, err)
	}
	search := []byte(`{"plan": {"query": ` + node + `}}`)
	if resp, err = c.do(t.Context(), http.MethodPost, "/v1/search", search, nil); err != nil || resp.StatusCode != 500 || s.failed.Load() != 1 {
		t.Errorf("%v, %v", resp, err)
	}
	s.failing = 0
	var answer struct {
		Hits []struct{ ID string }
	}
	if resp, err = c.do(t.Context(), http.MethodPost, "/v1/search", search, &answer); err != nil || resp.StatusCode != 200 || len(answer.Hits) != 1 || answer.Hits[0].ID != "of-0" || s.searches.Load() != 2 {
		t.Errorf("%v, %+v, %v", resp, answer, err)
	}
}

func TestEpochsAreWrittenAsTheyAreGivenBack(t *testing.T) {
	t.Parallel()
	e := epochs{}
	for _, text := range []string{`{"shard": 2, "offset": 6}`, `{"epochs": {"0": 18, "2": 5}}`} {
		var w written
		if err := json.Unmarshal([]byte(text), &w); err != nil {
			t.Fatal(err)
		}
		e.add(w.seen())
	}
	if e.String() != "0:18,2:7" {
		t.Errorf("%s", e)
	}
}

func TestALineIsFoundThroughItsPoints(t *testing.T) {
	t.Parallel()
	if slope, constant := line([]float64{1, 2, 4, 8}, []float64{5, 7, 11, 19}); math.Abs(slope-2) > 1e-9 || math.Abs(constant-3) > 1e-9 {
		t.Errorf("%v, %v", slope, constant)
	}
	model := fitted([]leavesRun{{leaves: 1, leafCPU: 12 * time.Millisecond, rootCPU: 3 * time.Millisecond}, {leaves: 8, leafCPU: 26 * time.Millisecond, rootCPU: 10 * time.Millisecond}})
	near := func(d, want time.Duration) bool { return (d - want).Abs() < time.Microsecond }
	if !near(model.Overhead, 2*time.Millisecond) || !near(model.Work, 10*time.Millisecond) || !near(model.Gather, time.Millisecond) || !near(model.Request, 2*time.Millisecond) {
		t.Errorf("%+v", model)
	}
}

func TestARecoveryLasts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		halves []float64
		want   time.Duration
	}{
		{[]float64{1, 1, 1, 1, 1, 1}, 0},
		{[]float64{9, 9, 1, 1, 1, 1}, time.Second},
		{[]float64{9, 1, 9, 1, 1, 1}, 1500 * time.Millisecond},
		{[]float64{9, 9, 9, 9, 9, 1}, -time.Second}, // a last good moment is no recovery
		{[]float64{9, 9, 9}, -time.Second},
		{nil, -time.Second},
	} {
		if got := recoveredAfter(c.halves, 2); got != c.want {
			t.Errorf("%v: %v, want %v", c.halves, got, c.want)
		}
	}
}

func TestMetricsAreAddedUpByNameAndLabel(t *testing.T) {
	t.Parallel()
	const text = "# HELP x_count of things\nx_count{http_route=\"/v1/terms\",code=\"200\"} 3\nx_count{http_route=\"/v1/search\"} 4\nx_count_more{http_route=\"/v1/terms\"} 9\nx_count 1\n"
	for labels, want := range map[string]float64{"": 8, `http_route="/v1/`: 7, `http_route="/v1/terms"`: 3, "nothing": 0} {
		if got, err := sumOf(strings.NewReader(text), "x_count", labels); err != nil || got != want {
			t.Errorf("%q: %v, %v", labels, got, err)
		}
	}
}

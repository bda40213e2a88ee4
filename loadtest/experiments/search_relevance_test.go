package experiments

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/relevance"
)

// rankedAs is a search that ranks as a run does.
type rankedAs struct {
	answers map[string][]relevance.Hit // by the query that is asked
	written int64
}

func newRankedAs(run relevance.Run) *rankedAs {
	return &rankedAs{answers: map[string][]relevance.Hit{"fish": run["1"], "red fish": run["2"]}}
}

// ranking is that of the small set below: query 1 has three documents, query 2 more than a page has.
func ranking() relevance.Run {
	run := relevance.Run{"1": {{Document: "a", Score: 3}, {Document: "b", Score: 2}, {Document: "c", Score: 1}}}
	for i := range 90 {
		run["2"] = append(run["2"], relevance.Hit{Document: fmt.Sprint("d", i), Score: float64(90 - i)})
	}
	return run
}

// smallTree is a tree with a small judged set and the ranking of a peer in the places of the real ones.
func smallTree(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	set := filepath.Join(root, judgedSet)
	if err := os.MkdirAll(filepath.Join(set, "qrels"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"queries.jsonl":  "{\"_id\": \"1\", \"text\": \"Fish?\"}\n{\"_id\": \"2\", \"text\": \"red fish\"}\n",
		"qrels/test.tsv": "query-id\tcorpus-id\tscore\n1\ta\t1\n2\td0\t2\n2\td1\t1\n",
		"corpus.jsonl":   "{\"_id\": \"a\", \"text\": \"fish\"}\n{\"_id\": \"d0\", \"text\": \"red fish\"}\n",
	} {
		if err := os.WriteFile(filepath.Join(set, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.Create(filepath.Join(set, lucenesRun))
	if err != nil {
		t.Fatal(err)
	}
	packed := gzip.NewWriter(file)
	for query, hits := range ranking() {
		for _, h := range hits {
			fmt.Fprintln(packed, query, "Q0", h.Document, 1, h.Score, "lucene")
		}
	}
	if err := errors.Join(packed.Close(), file.Close()); err != nil {
		t.Fatal(err)
	}
	return root
}

func (s *rankedAs) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		var body bytes.Buffer
		if _, err := body.ReadFrom(r.Body); err != nil {
			panic(err)
		}
		s.written += int64(bytes.Count(body.Bytes(), []byte("\n")))
		fmt.Fprintf(w, `{"epochs": {"0": %d}}`, s.written)
		return
	}
	q := r.URL.Query()
	all := s.answers[q.Get("q")]
	first, _ := strconv.Atoi(q.Get("after"))
	limit, err := strconv.Atoi(q.Get("limit"))
	if err != nil {
		panic(err)
	}
	last := min(first+limit, len(all))
	type hit struct {
		ID    string  `json:"id"`
		Score float64 `json:"score"`
	}
	answer := struct {
		Total int64  `json:"total"`
		Hits  []hit  `json:"hits"`
		Next  string `json:"next,omitempty"`
	}{Total: s.written}
	for _, h := range all[first:last] {
		answer.Hits = append(answer.Hits, hit{h.Document, h.Score})
	}
	if last < len(all) {
		answer.Next = strconv.Itoa(last)
	}
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		panic(err)
	}
}

// claims runs the experiment on one search for one shard and another for eight, and returns what did not hold.
func claims(t *testing.T, one, eight *rankedAs) []string {
	t.Helper()
	start := func(_ context.Context, shards int) (string, func(), error) {
		search := map[int]*rankedAs{1: one, 8: eight}[shards]
		search.written = 0
		server := httptest.NewServer(search)
		return server.URL, server.Close, nil
	}
	var out bytes.Buffer
	runner := proof.Runner{Root: smallTree(t), Results: t.TempDir(), Quick: true, Out: &out}
	record, err := runner.Run(t.Context(), proof.Pattern{ID: "G2", Experiments: []proof.Experiment{{
		Name: "relevance", Question: "?", Run: func(ctx context.Context, r *proof.Report) error { return relevanceOfShards(ctx, r, start, 1, 8) },
	}}}, "")
	if err != nil || record.Parts[0].Error != "" || len(record.Parts[0].Claims) != 4 {
		t.Fatalf("%v\n%s", err, out.String())
	}
	var failed []string
	for _, c := range record.Parts[0].Claims {
		if !c.Holds {
			failed = append(failed, c.Name)
		}
	}
	return failed
}

func TestARankingAsGoodAsLucenesHolds(t *testing.T) {
	same := newRankedAs(ranking())
	if failed := claims(t, same, same); len(failed) > 0 {
		t.Error(failed)
	}
}

func TestAWorseRankingAndOneThatDependsOnShardsDoNotHold(t *testing.T) {
	const byShards = "queries that 8 shards rank otherwise than 1"
	for name, c := range map[string]struct {
		spoil func(relevance.Run)
		both  bool // numbers of shards rank like that
		want  []string
	}{
		"the best document comes last": {
			func(run relevance.Run) { run["1"][0].Score = 0.5 }, true, []string{"nDCG@10 beside Lucene's", "MAP beside Lucene's"},
		},
		"no answer": {
			func(run relevance.Run) { delete(run, "1") }, true,
			[]string{"nDCG@10 beside Lucene's", "MAP beside Lucene's", "judged queries without an answer"},
		},
		"two documents at the end change places": {
			func(run relevance.Run) { run["2"][88].Document, run["2"][89].Document = "d89", "d88" }, false, []string{byShards},
		},
		"a score moves":         {func(run relevance.Run) { run["1"][2].Score += 2e-6 }, false, []string{byShards}},
		"a document is missing": {func(run relevance.Run) { run["2"] = run["2"][:89] }, false, []string{byShards}},
	} {
		t.Run(name, func(t *testing.T) {
			spoiled := ranking()
			c.spoil(spoiled)
			one := ranking()
			if c.both {
				one = spoiled
			}
			if failed := claims(t, newRankedAs(one), newRankedAs(spoiled)); !slices.Equal(failed, c.want) {
				t.Errorf("%q does not hold, want %q", failed, c.want)
			}
		})
	}
}

package experiments

import (
	"context"
	"fmt"
	"math"
	"path/filepath"

	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/relevance"
)

const (
	judgedSet    = "loadtest/relevance/testdata/wordnet"
	lucenesRun   = "lucene-9.12.3.run.gz"
	relevantTop  = 10   // of nDCG
	sameScore    = 1e-6 // between numbers of shards
	besideLucene = 0.99 // of what Lucene reaches, at least
)

// startSearch starts an empty search of so many shards; stop ends it.
type startSearch func(ctx context.Context, shards int) (url string, stop func(), err error)

// relevanceOfShards claims that a search ranks a judged collection as well as Lucene does, and that its number of shards changes nothing.
func relevanceOfShards(ctx context.Context, r *proof.Report, start startSearch, shards ...int) error {
	set := filepath.Join(r.Root, judgedSet)
	c, err := relevance.OpenBEIR(set, "test")
	if err != nil {
		return err
	}
	peer, err := relevance.ReadRun(filepath.Join(set, lucenesRun))
	if err != nil {
		return err
	}
	depth := 1000
	if r.Quick {
		c, depth = someOf(c, 30), 100
	}
	t := proof.Table{
		Title:   "How good the rankings are",
		Columns: []string{"ranked by", "nDCG@10", "MAP", "queries", "unanswered"},
	}
	lucene := relevance.Measure(c.Judgements, cutAt(peer, depth), relevantTop)
	t.Rows = append(t.Rows, rowOfScore("Lucene 9.12.3, EnglishAnalyzer, BM25", lucene))
	var first relevance.Run
	for _, n := range shards {
		run, err := rankedBy(ctx, r, c, start, n, depth)
		if err != nil {
			return fmt.Errorf("%s: %w", shardsInWords(n), err)
		}
		score := relevance.Measure(c.Judgements, run, relevantTop)
		t.Rows = append(t.Rows, rowOfScore(shardsInWords(n), score))
		if first == nil {
			first = run
			r.Claim(proof.AtLeast("nDCG@10 beside Lucene's", score.NDCG/lucene.NDCG, besideLucene, "×"))
			r.Claim(proof.AtLeast("MAP beside Lucene's", score.MAP/lucene.MAP, besideLucene, "×"))
			r.Claim(proof.Exactly("judged queries without an answer", score.Unanswered, 0, fmt.Sprintf("of %d", score.Queries)))
			continue
		}
		r.Claim(proof.Exactly(fmt.Sprintf("queries that %s rank otherwise than %d", shardsInWords(n), shards[0]), rankedOtherwise(r, first, run), 0, fmt.Sprintf("of %d", len(c.Queries))))
	}
	r.Table(t)
	r.Note("The collection is %s: sentences, and the meanings that they were written for. Compared are the first %d documents of each answer: the same ones in the same order, scores within %g.", judgedSet, depth, sameScore)
	return nil
}

// rankedBy fills a search with the collection and asks its queries.
func rankedBy(ctx context.Context, r *proof.Report, c relevance.Collection, start startSearch, shards, depth int) (relevance.Run, error) {
	url, stop, err := start(ctx, shards)
	if err != nil {
		return nil, err
	}
	defer stop()
	client, err := relevance.NewClient(url)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	client.Depth = depth
	client.Warn = func(format string, args ...any) { r.Note(format, args...) }
	written, searched, err := client.Feed(ctx, c.Documents)
	if err != nil {
		return nil, err
	}
	if written != searched {
		return nil, fmt.Errorf("%d documents were written, and %d are searched", written, searched)
	}
	r.Log("%s: %d documents", shardsInWords(shards), searched)
	return client.Ask(ctx, c.Queries)
}

// rankedOtherwise counts the queries whose answers differ.
func rankedOtherwise(r *proof.Report, one, many relevance.Run) int {
	different := 0
	for query, hits := range one {
		if why := differentHits(hits, many[query]); why != "" {
			if different++; different <= 5 {
				r.Note("%s: %s", query, why)
			}
		}
	}
	return different
}

func differentHits(one, many []relevance.Hit) string {
	if len(one) != len(many) {
		return fmt.Sprintf("%d documents and %d", len(one), len(many))
	}
	for i := range one {
		if one[i].Document != many[i].Document || !(math.Abs(one[i].Score-many[i].Score) <= sameScore) {
			return fmt.Sprintf("at place %d %s with %v, and %s with %v", i+1, one[i].Document, one[i].Score, many[i].Document, many[i].Score)
		}
	}
	return ""
}

// someOf keeps the first queries.
func someOf(c relevance.Collection, n int) relevance.Collection {
	c.Queries = c.Queries[:min(n, len(c.Queries))]
	judged := relevance.Judgements{}
	for _, q := range c.Queries {
		judged[q.ID] = c.Judgements[q.ID]
	}
	c.Judgements = judged
	return c
}

// cutAt keeps the first documents of each answer, so that both sides are looked at equally deep.
func cutAt(run relevance.Run, depth int) relevance.Run {
	cut := relevance.Run{}
	for query, hits := range run {
		cut[query] = hits[:min(depth, len(hits))]
	}
	return cut
}

func rowOfScore(name string, s relevance.Score) []string {
	return []string{name, fmt.Sprintf("%.4f", s.NDCG), fmt.Sprintf("%.4f", s.MAP), fmt.Sprint(s.Queries), fmt.Sprint(s.Unanswered)}
}

func shardsInWords(n int) string {
	if n == 1 {
		return "1 shard"
	}
	return fmt.Sprintf("%d shards", n)
}

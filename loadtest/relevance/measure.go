package relevance

import (
	"cmp"
	"maps"
	"math"
	"slices"
)

// Judgements are grades of documents, by query and document. A document that nobody judged is not relevant, and neither is one with a
// grade of 0 or less.
type Judgements map[string]map[string]int

// Hit is a document in an answer.
type Hit struct {
	Document string
	Score    float64
}

// Run has the answers to queries: documents with their scores, in any order.
type Run map[string][]Hit

// Score is how good a run is, and each answer in it.
type Score struct {
	NDCG       float64 // mean over Queries
	MAP        float64
	Queries    int // that have a relevant document
	Unanswered int // of these, without any hit; each counts as 0
	Each       map[string]QueryScore
}

// QueryScore is how good one answer is.
type QueryScore struct{ NDCG, AP float64 }

// Measure computes nDCG at depth k, and mean average precision over all hits. The means are over all queries that have a relevant
// document, also those that the run does not answer (trec_eval -c): a search must not gain by silence.
func Measure(judgements Judgements, run Run, k int) Score {
	s := Score{Each: map[string]QueryScore{}}
	// The order of the sum is fixed, so that the last bit of a mean does not depend on a map.
	for _, query := range slices.Sorted(maps.Keys(judgements)) {
		grades := judgements[query]
		if relevant(grades) == 0 {
			continue
		}
		s.Queries++
		if len(run[query]) == 0 {
			s.Unanswered++
		}
		ranked := ranking(run[query])
		q := QueryScore{NDCG: ndcg(grades, ranked, k), AP: averagePrecision(grades, ranked)}
		s.Each[query] = q
		s.NDCG += q.NDCG
		s.MAP += q.AP
	}
	if s.Queries > 0 {
		s.NDCG /= float64(s.Queries)
		s.MAP /= float64(s.Queries)
	}
	return s
}

// ranking is the order in which trec_eval sees hits, whatever order they have in a run: by score, the highest first, then by document,
// the last first. Scores are compared in single precision, as trec_eval keeps them: two that differ in the eighth digit are equal.
func ranking(hits []Hit) []string {
	sorted := slices.Clone(hits)
	slices.SortFunc(sorted, func(a, b Hit) int {
		return cmp.Or(cmp.Compare(float32(b.Score), float32(a.Score)), cmp.Compare(b.Document, a.Document))
	})
	documents := make([]string, len(sorted))
	for i, h := range sorted {
		documents[i] = h.Document
	}
	return documents
}

func relevant(grades map[string]int) int {
	n := 0
	for _, g := range grades {
		if g > 0 {
			n++
		}
	}
	return n
}

// ndcg is the gain of the first k documents, each divided by log2(rank + 1), in relation to that of the best order. The gain is the grade
// itself, as in trec_eval, and not 2^grade − 1, as elsewhere.
func ndcg(grades map[string]int, ranked []string, k int) float64 {
	var gains, best []int
	for _, document := range ranked[:min(k, len(ranked))] {
		gains = append(gains, grades[document])
	}
	for _, g := range grades {
		best = append(best, g)
	}
	slices.SortFunc(best, func(a, b int) int { return b - a })
	return discounted(gains) / discounted(best[:min(k, len(best))])
}

func discounted(gains []int) float64 {
	sum := 0.0
	for i, g := range gains {
		if g > 0 {
			sum += float64(g) / math.Log2(float64(i+2))
		}
	}
	return sum
}

// averagePrecision is the mean, over all relevant documents, of the precision at the rank where each was found; 0 for those that were not.
func averagePrecision(grades map[string]int, ranked []string) float64 {
	found, sum := 0, 0.0
	for i, document := range ranked {
		if grades[document] > 0 {
			found++
			sum += float64(found) / float64(i+1)
		}
	}
	return sum / float64(relevant(grades))
}

package relevance_test

import (
	"math"
	"testing"

	"github.com/flotilla-dev/flotilla/loadtest/relevance"
)

func near(a, b float64) bool { return math.Abs(a-b) < 1e-9 }

// hits are documents in an order, with falling scores.
func hits(documents ...string) []relevance.Hit {
	var all []relevance.Hit
	for i, d := range documents {
		all = append(all, relevance.Hit{Document: d, Score: float64(100 - i)})
	}
	return all
}

func TestMeasuresOfOneAnswerAreThoseWorkedOutByHand(t *testing.T) {
	for name, c := range map[string]struct {
		grades   map[string]int
		hits     []relevance.Hit
		k        int
		ndcg, ap float64
	}{
		// Precision at the relevant ranks 1, 3: 1/1, 2/3; the third was not found: (1 + 2/3 + 0)/3.
		// DCG = 1/log2(2) + 1/log2(4) = 1.5; the best order has 1/log2(2) + 1/log2(3) + 1/log2(4) = 1 + 0.630930 + 0.5.
		"a relevant document is missing": {
			map[string]int{"a": 1, "b": 1, "c": 1}, hits("a", "x", "b"), 10,
			1.5 / (1.5 + 1/math.Log2(3)), (1 + 2.0/3) / 3,
		},
		// Gains 0, 2, 1: 2/log2(3) + 1/log2(4) = 1.261860 + 0.5; best 2/1 + 1/log2(3) = 2.630930. AP knows no grades: (1/2 + 2/3)/2.
		"a better document stands behind a worse one": {
			map[string]int{"good": 2, "fair": 1, "bad": 0}, hits("bad", "good", "fair"), 10,
			(2/math.Log2(3) + 0.5) / (2 + 1/math.Log2(3)), (0.5 + 2.0/3) / 2,
		},
		// Only two ranks count, of the best order too: 1/log2(3) of 1 + 1/log2(3). All ranks count for AP: (1/2 + 2/3 + 3/4)/3.
		"the depth cuts the best order as well": {
			map[string]int{"a": 1, "b": 1, "c": 1}, hits("x", "a", "b", "c"), 2,
			(1 / math.Log2(3)) / (1 + 1/math.Log2(3)), (0.5 + 2.0/3 + 0.75) / 3,
		},
		// -1 is "of no interest": no gain, no loss. The relevant document is second: 1/log2(3), 1/2.
		"a grade below 0 is not relevant": {
			map[string]int{"a": 1, "junk": -1}, hits("junk", "a"), 10, 1 / math.Log2(3), 0.5,
		},
		"nothing was found":       {map[string]int{"a": 1}, nil, 10, 0, 0},
		"nobody judged the found": {map[string]int{"a": 1}, hits("x", "y"), 10, 0, 0},
		"the best order":          {map[string]int{"a": 3, "b": 1}, hits("a", "b"), 10, 1, 1},
		// The same score: z is first, because it is the last by name, whatever the run's order is.
		"ties go by name, the last first": {
			map[string]int{"a": 1}, []relevance.Hit{{Document: "a", Score: 5}, {Document: "z", Score: 5}}, 10, 1 / math.Log2(3), 0.5,
		},
		// 5.00000001 and 5 are one number in single precision.
		"scores are of single precision": {
			map[string]int{"a": 1}, []relevance.Hit{{Document: "a", Score: 5.00000001}, {Document: "z", Score: 5}}, 10, 1 / math.Log2(3), 0.5,
		},
		"the order of a run's lines says nothing": {
			map[string]int{"a": 1}, []relevance.Hit{{Document: "x", Score: 1}, {Document: "a", Score: 2}}, 10, 1, 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := relevance.Measure(relevance.Judgements{"q": c.grades}, relevance.Run{"q": c.hits}, c.k)
			if !near(s.NDCG, c.ndcg) || !near(s.MAP, c.ap) || s.Queries != 1 {
				t.Errorf("nDCG %v, MAP %v of %d queries, want %v and %v of 1", s.NDCG, s.MAP, s.Queries, c.ndcg, c.ap)
			}
		})
	}
}

func TestTheMeanIsOverAllQueriesThatCouldBeAnswered(t *testing.T) {
	judgements := relevance.Judgements{
		"found":     {"a": 1},
		"silent":    {"b": 1},
		"hopeless":  {"c": 0}, // left out: nothing could be found
		"forgotten": {"d": 1}, // not in the run at all
		"second":    {"e": 1},
	}
	run := relevance.Run{"found": hits("a"), "silent": {}, "hopeless": hits("c"), "second": hits("x", "e"), "unjudged": hits("a")}
	s := relevance.Measure(judgements, run, 10)
	// AP: 1, 0, 0, 1/2 of four queries; nDCG: 1, 0, 0, 1/log2(3).
	if s.Queries != 4 || s.Unanswered != 2 || !near(s.MAP, 1.5/4) || !near(s.NDCG, (1+1/math.Log2(3))/4) {
		t.Errorf("%+v", s)
	}
	if len(s.Each) != 4 || !near(s.Each["second"].AP, 0.5) {
		t.Errorf("each: %+v", s.Each)
	}
}

func TestWithoutQueriesThereIsNoMean(t *testing.T) {
	s := relevance.Measure(relevance.Judgements{"q": {"a": 0}}, relevance.Run{}, 10)
	if s.Queries != 0 || s.NDCG != 0 || s.MAP != 0 {
		t.Errorf("%+v", s)
	}
}

// trec_eval's own code computes 0.21868592354723068 and 0.13505053128934097 for this run: means over 300 queries, grades of 1 and 2, answers
// with ties, queries without any relevant document among a thousand.
func TestTheMeasuresOfARealRunAreThoseOfTrecEval(t *testing.T) {
	c, err := relevance.OpenBEIR("testdata/wordnet", "test")
	if err != nil {
		t.Fatal(err)
	}
	run, err := relevance.ReadRun("testdata/wordnet/lucene-9.12.3.run.gz")
	if err != nil {
		t.Fatal(err)
	}
	s := relevance.Measure(c.Judgements, run, 10)
	if !near(s.NDCG, 0.21868592354723068) || !near(s.MAP, 0.13505053128934097) || s.Queries != 300 || s.Unanswered != 0 {
		t.Errorf("nDCG@10 %v, MAP %v, %d queries, %d unanswered", s.NDCG, s.MAP, s.Queries, s.Unanswered)
	}
}

package index

import (
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/flotilla-dev/flotilla/services/search/query"
	"github.com/flotilla-dev/flotilla/services/search/wire"
)

// Parameters of BM25: how soon more occurrences stop to matter, and how much the length of a field matters.
const (
	k1 = 1.2
	b  = 0.75
)

// weighing is what a leaf of a query scores with, from statistics of the whole corpus: what is the same for all documents.
//
// Products that are added to something are converted to float64, which Go's specification rounds: without, a compiler may fuse
// multiplication and addition on some processors, and replicas on different ones would answer different bits.
type weighing struct {
	idf     float64
	average float64 // length of the field
	field   int
}

// idf is the weight of a word: the fewer documents have it, the more it tells. Numbers that contradict each other are taken as the
// nearest that do not, so that it is a number above 0 in any case.
func idf(documents, with int64) float64 {
	documents = max(documents, 0)
	with = min(max(with, 0), documents)
	return math.Log(1 + (float64(documents-with)+0.5)/(float64(with)+0.5))
}

// weigh prepares the scoring of a leaf.
func weigh(plan *wire.Plan, node *query.Node, words []wire.WordStatistics) weighing {
	w := weighing{field: field(node.Field)}
	if plan.Documents > 0 {
		w.average = float64(plan.Lengths[fieldNames[w.field]]) / float64(plan.Documents)
	}
	switch {
	case expands(node):
		// A group of stems is one word, as frequent as the most frequent of them.
		most := int64(0)
		for _, word := range words {
			most = max(most, word.Documents)
		}
		w.idf = idf(plan.Documents, most)
	default:
		for _, word := range words {
			if word.Word != "" {
				w.idf += idf(plan.Documents, word.Documents)
			}
		}
	}
	return w
}

// saturation is what a frequency in a field of some length is worth, from 0 to k1+1.
func (w *weighing) saturation(frequency float64, length uint32) float64 {
	relative := 1.0
	if w.average > 0 {
		relative = float64(length) / w.average
	}
	return frequency * (k1 + 1) / (frequency + float64(k1*(1-b+float64(b*relative))))
}

// score is what a leaf adds to the score of a document.
func (w *weighing) score(frequency float64, length uint32) float64 {
	return float64(w.idf * w.saturation(frequency, length))
}

// weights are those of the stems of a group: 1, less for each edit.
func weights(node *query.Node, words []wire.WordStatistics) []float64 {
	all := make([]float64, len(words))
	letters := float64(max(1, utf8.RuneCountInString(node.Words[0])))
	for i, word := range words {
		all[i] = 1
		if node.Kind == query.Fuzzy {
			all[i] = max(leastWeight, 1-float64(word.Edits)/letters)
		}
	}
	return all
}

const leastWeight = 0.1

// about explains the parts of what a leaf adds.
func (w *weighing) about(node *query.Node, frequency float64, length uint32) wire.Explanation {
	saturation := w.saturation(frequency, length)
	return wire.Explanation{
		Score: w.score(frequency, length),
		About: fmt.Sprintf("%s in %s", node, fieldAbout[w.field]),
		Parts: []wire.Explanation{
			{Score: w.idf, About: "idf: how rare it is among all documents"},
			{Score: saturation, About: fmt.Sprintf("%g occurrences in %d words, where %.4g are the average", frequency, length, w.average)},
		},
	}
}

var fieldAbout = [fieldCount]string{"title and text", "the title", "the text"}

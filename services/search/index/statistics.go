package index

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/flotilla-dev/flotilla/services/search/query"
	"github.com/flotilla-dev/flotilla/services/search/wire"
)

// MostWords is to how many stems a prefix or a fuzzy word may lead, over all shards.
const MostWords = 4096

// MostPlan bounds what the stems of all prefixes and fuzzy words of a query take in a plan together, in bytes: a leaf takes a mebibyte, and
// this leaves an eighth of it for all else that is in a request.
const MostPlan = 896 << 10

// entry is more than a stem takes in a plan beside its letters: the names of its fields, and numbers of up to 19 digits.
const entry = 64

// Statistics tells what this index knows of a query.
//
// For a prefix and a fuzzy word, the documents of a stem are those of its surface forms that match, added up over these: a shard
// that has the stem by other forms alone does not know that it is asked for, so that numbers of the stem's own documents could not be
// added up over shards. A document with two of the forms counts twice.
func (v *View) Statistics(ctx context.Context, q *query.Node) (wire.Statistics, error) {
	if err := checkQuery(q); err != nil {
		return wire.Statistics{}, err
	}
	scoring := q.Scoring()
	candidates, err := v.candidates(ctx, scoring)
	if err != nil {
		return wire.Statistics{}, err
	}
	if err := v.lock(); err != nil {
		return wire.Statistics{}, err
	}
	defer v.unlock()
	all := v.index.totals.at(v.epoch)
	statistics := wire.Statistics{
		Epoch: v.epoch, Documents: all.documents, Lengths: make(map[string]int64, fieldCount), Nodes: make([]wire.NodeStatistics, len(scoring)),
	}
	for i, name := range fieldNames {
		statistics.Lengths[name] = all.lengths[i]
	}
	for i, node := range scoring {
		if expands(node) {
			statistics.Nodes[i] = v.group(candidates[i], field(node.Field))
		} else {
			statistics.Nodes[i] = v.words(node)
		}
	}
	return statistics, nil
}

// expands tells whether a node leads to stems that are looked up.
func expands(node *query.Node) bool { return node.Kind == query.Prefix || node.Kind == query.Fuzzy }

// words are those of a term or a phrase. The view is locked.
func (v *View) words(node *query.Node) wire.NodeStatistics {
	words := make([]wire.WordStatistics, len(node.Words))
	for i, stem := range node.Words {
		words[i].Word = stem
		if t := v.index.stems.terms[stem]; t != nil && stem != "" {
			documents := t.documents.at(v.epoch)
			words[i].Documents = int64(documents[field(node.Field)])
		}
	}
	return wire.NodeStatistics{Words: words}
}

// group are the stems to which candidates lead that are in a document. The view is locked.
func (v *View) group(candidates []candidate, field int) wire.NodeStatistics {
	found := make(map[string]wire.WordStatistics)
	for _, c := range candidates {
		if documents := c.form.documents.at(v.epoch); documents[field] > 0 {
			collect(found, wire.WordStatistics{Word: c.form.term.key, Documents: int64(documents[field]), Edits: c.edits})
		}
		if len(found) > MostWords {
			return wire.NodeStatistics{Words: []wire.WordStatistics{}, More: true}
		}
	}
	return wire.NodeStatistics{Words: inOrder(found)}
}

// collect adds up the documents of a word, and keeps the fewest edits.
func collect(found map[string]wire.WordStatistics, w wire.WordStatistics) {
	if known, is := found[w.Word]; is {
		w.Documents += known.Documents
		w.Edits = min(w.Edits, known.Edits)
	}
	found[w.Word] = w
}

func inOrder(found map[string]wire.WordStatistics) []wire.WordStatistics {
	return slices.SortedFunc(maps.Values(found), func(a, b wire.WordStatistics) int { return cmp.Compare(a.Word, b.Word) })
}

// TooManyWordsError says that a prefix or a fuzzy word leads to more stems than can be searched for, or that all of them together do.
// Its message is for the one who wrote the query.
type TooManyWordsError struct {
	Node     *query.Node
	Place    int // of the node among those that score; when it is about all, the one that leads to the most
	Together int // words of all nodes; 0: the node has too many by itself
}

func (e *TooManyWordsError) Error() string {
	sign := "*"
	if e.Node.Kind == query.Fuzzy {
		sign = "~"
	}
	if e.Together > 0 {
		return fmt.Sprintf("the words with * and ~ match %d different words together, which is too much for one query, and %s%s the most of them: add a letter to it, or leave it out",
			e.Together, e.Node.Words[0], sign)
	}
	return fmt.Sprintf("%s%s matches more than 4,096 different words: add a letter", e.Node.Words[0], sign)
}

// Sum makes the plan of a query from what the shards know of it. It does not matter how documents are divided among shards, nor
// in which order these come.
func Sum(q *query.Node, shards []wire.Statistics) (wire.Plan, error) {
	scoring := q.Scoring()
	plan := wire.Plan{Query: q, Lengths: make(map[string]int64, fieldCount), Nodes: make([]wire.NodeStatistics, len(scoring))}
	for _, name := range fieldNames {
		plan.Lengths[name] = 0
	}
	for _, shard := range shards {
		if len(shard.Nodes) != len(scoring) {
			return wire.Plan{}, fmt.Errorf("sum statistics: a shard has %d scoring nodes in place of %d", len(shard.Nodes), len(scoring))
		}
		plan.Documents += shard.Documents
		for _, name := range fieldNames {
			plan.Lengths[name] += shard.Lengths[name]
		}
	}
	for i, node := range scoring {
		summed, err := sumNode(node, i, shards)
		if err != nil {
			return wire.Plan{}, err
		}
		plan.Nodes[i] = summed
	}
	if err := bounded(scoring, plan.Nodes); err != nil {
		return wire.Plan{}, err
	}
	return plan, nil
}

// bounded refuses a plan that no leaf would take.
func bounded(scoring []*query.Node, nodes []wire.NodeStatistics) error {
	size, together, most := 0, 0, -1
	for i, node := range scoring {
		if !expands(node) {
			continue
		}
		for _, w := range nodes[i].Words {
			size += len(w.Word) + entry
		}
		together += len(nodes[i].Words)
		if most < 0 || len(nodes[i].Words) > len(nodes[most].Words) {
			most = i
		}
	}
	if size > MostPlan {
		return &TooManyWordsError{Node: scoring[most], Place: most, Together: together}
	}
	return nil
}

func sumNode(node *query.Node, place int, shards []wire.Statistics) (wire.NodeStatistics, error) {
	if expands(node) {
		return unite(node, place, shards)
	}
	words := make([]wire.WordStatistics, len(node.Words))
	for i, stem := range node.Words {
		words[i].Word = stem
	}
	for _, shard := range shards {
		theirs := shard.Nodes[place].Words
		if len(theirs) != len(words) {
			return wire.NodeStatistics{}, fmt.Errorf("sum statistics: a shard has %d words in place of %d", len(theirs), len(words))
		}
		for i := range theirs {
			words[i].Documents += theirs[i].Documents
		}
	}
	return wire.NodeStatistics{Words: words}, nil
}

func unite(node *query.Node, place int, shards []wire.Statistics) (wire.NodeStatistics, error) {
	found := make(map[string]wire.WordStatistics)
	for _, shard := range shards {
		for _, w := range shard.Nodes[place].Words {
			collect(found, w)
		}
		if shard.Nodes[place].More || len(found) > MostWords {
			return wire.NodeStatistics{}, &TooManyWordsError{Node: node, Place: place}
		}
	}
	return wire.NodeStatistics{Words: inOrder(found)}, nil
}

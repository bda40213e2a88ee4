package index

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/flotilla-dev/flotilla/services/search/query"
	"github.com/flotilla-dev/flotilla/services/search/text"
)

// oracle answers from the formulas alone, with loops over all documents.
type oracle struct {
	documents []oracleDocument
}

type oracleDocument struct {
	id     string
	offset int64
	labels map[string]string
	fields map[string][]text.Token // title and text
}

// stateAt is the state after all changes before an epoch.
func stateAt(changes []Change, epoch int64) *oracle {
	live := make(map[string]Change)
	for _, change := range changes {
		switch {
		case change.Offset >= epoch:
		case change.Document == nil:
			delete(live, change.ID)
		default:
			live[change.ID] = change
		}
	}
	o := &oracle{}
	for _, id := range slices.Sorted(maps.Keys(live)) {
		d := live[id].Document
		o.documents = append(o.documents, oracleDocument{
			id: id, offset: live[id].Offset, labels: d.Labels,
			fields: map[string][]text.Token{query.TitleField: text.Tokens(d.Title), query.TextField: text.Tokens(d.Text)},
		})
	}
	return o
}

// fieldsOf lists the fields that a field of a query stands for.
func fieldsOf(name string) []string {
	if name == query.AnyField {
		return []string{query.TitleField, query.TextField}
	}
	return []string{name}
}

func (d *oracleDocument) length(name string) int {
	length := 0
	for _, f := range fieldsOf(name) {
		length += len(d.fields[f])
	}
	return length
}

func (d *oracleDocument) stems(name, stem string) int {
	count := 0
	for _, f := range fieldsOf(name) {
		for _, token := range d.fields[f] {
			if token.Stem == stem {
				count++
			}
		}
	}
	return count
}

func (d *oracleDocument) phrases(name string, words []string) int {
	count := 0
	for _, f := range fieldsOf(name) {
		at := make(map[int]string)
		for _, token := range d.fields[f] {
			at[token.Position] = token.Stem
		}
		for start := range at {
			all := true
			for i, word := range words {
				all = all && (word == "" || at[start+i] == word)
			}
			if all {
				count++
			}
		}
	}
	return count
}

func (o *oracle) with(name, stem string) int {
	count := 0
	for i := range o.documents {
		if o.documents[i].stems(name, stem) > 0 {
			count++
		}
	}
	return count
}

// group are the stems to which a prefix or a fuzzy word leads: the documents of the matching forms of each, and the fewest edits.
func (o *oracle) group(n *query.Node) (documents, edits map[string]int) {
	documents, edits = make(map[string]int), make(map[string]int)
	for i := range o.documents {
		seen := make(map[string]bool)
		for _, f := range fieldsOf(n.Field) {
			for _, token := range o.documents[i].fields[f] {
				distance, is := 0, strings.HasPrefix(token.Surface, n.Words[0])
				if n.Kind == query.Fuzzy {
					distance, is = text.Edits(n.Words[0], token.Surface, n.Edits)
				}
				if !is || seen[token.Surface] {
					continue
				}
				seen[token.Surface] = true
				documents[token.Stem]++
				if least, known := edits[token.Stem]; !known || distance < least {
					edits[token.Stem] = distance
				}
			}
		}
	}
	return documents, edits
}

func (o *oracle) idf(with int) float64 {
	all, df := float64(len(o.documents)), math.Min(float64(with), float64(len(o.documents)))
	return math.Log(1 + (all-df+0.5)/(df+0.5))
}

// frequencies are those of a leaf in all documents, and its idf.
func (o *oracle) frequencies(n *query.Node) (tf []float64, idf float64) {
	tf = make([]float64, len(o.documents))
	switch n.Kind {
	case query.Term:
		idf = o.idf(o.with(n.Field, n.Words[0]))
		for i := range tf {
			tf[i] = float64(o.documents[i].stems(n.Field, n.Words[0]))
		}
	case query.Phrase:
		for _, word := range n.Words {
			if word != "" {
				idf += o.idf(o.with(n.Field, word))
			}
		}
		for i := range tf {
			tf[i] = float64(o.documents[i].phrases(n.Field, n.Words))
		}
	default:
		documents, edits := o.group(n)
		most := 0
		for _, stem := range slices.Sorted(maps.Keys(documents)) {
			most = max(most, documents[stem])
			weight := 1.0
			if n.Kind == query.Fuzzy {
				weight = math.Max(0.1, 1-float64(edits[stem])/float64(utf8.RuneCountInString(n.Words[0])))
			}
			for i := range tf {
				tf[i] += float64(weight * float64(o.documents[i].stems(n.Field, stem)))
			}
		}
		idf = o.idf(most)
	}
	return tf, idf
}

// matches tells of all documents whether they match.
func (o *oracle) matches(n *query.Node) []bool {
	result := make([]bool, len(o.documents))
	switch n.Kind {
	case query.All:
		for i := range result {
			result[i] = true
		}
	case query.Label:
		for i := range result {
			value, has := o.documents[i].labels[n.Field]
			result[i] = has && value == n.Words[0]
		}
	case query.Not:
		for i, is := range o.matches(n.Nodes[0]) {
			result[i] = !is
		}
	case query.And, query.Or:
		copy(result, o.matches(n.Nodes[0]))
		for _, child := range n.Nodes[1:] {
			for i, is := range o.matches(child) {
				if n.Kind == query.And {
					result[i] = result[i] && is
				} else {
					result[i] = result[i] || is
				}
			}
		}
	default:
		tf, _ := o.frequencies(n)
		for i := range result {
			result[i] = tf[i] > 0
		}
	}
	return result
}

// scores adds up the leaves that are not below a NOT, in preorder, for documents that all ANDs above a leaf match.
func (o *oracle) scores(n *query.Node, counts []bool, into []float64) {
	if n.Kind == query.Not {
		return
	}
	if n.Kind == query.And {
		counts = slices.Clone(counts)
		for i, is := range o.matches(n) {
			counts[i] = counts[i] && is
		}
	}
	for _, child := range n.Nodes {
		o.scores(child, counts, into)
	}
	if !n.Scores() {
		return
	}
	total := 0
	for i := range o.documents {
		total += o.documents[i].length(n.Field)
	}
	average := float64(total) / float64(len(o.documents))
	tf, idf := o.frequencies(n)
	for i := range into {
		if tf[i] > 0 && counts[i] {
			length := float64(o.documents[i].length(n.Field))
			into[i] += float64(idf * (tf[i] * (1.2 + 1) / (tf[i] + float64(1.2*(1-0.75+float64(0.75*(length/average)))))))
		}
	}
}

// found is a hit as tests compare it.
type found struct {
	ID     string
	Offset int64
	Bits   uint64
}

// search returns all hits in order, and the number of matching documents by label and value.
func (o *oracle) search(q *query.Node) ([]found, map[string]map[string]int) {
	scores := make([]float64, len(o.documents))
	o.scores(q, slices.Repeat([]bool{true}, len(scores)), scores)
	hits, facets := []found{}, map[string]map[string]int{"pos": {}, "topic": {}}
	for i, is := range o.matches(q) {
		if !is {
			continue
		}
		hits = append(hits, found{ID: o.documents[i].id, Offset: o.documents[i].offset, Bits: math.Float64bits(scores[i])})
		for name, value := range o.documents[i].labels {
			facets[name][value]++
		}
	}
	slices.SortFunc(hits, func(a, b found) int {
		return cmp.Or(cmp.Compare(math.Float64frombits(b.Bits), math.Float64frombits(a.Bits)), strings.Compare(a.ID, b.ID))
	})
	return hits, facets
}

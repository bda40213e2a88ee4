package index

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/flotilla-dev/flotilla/services/search/document"
	"github.com/flotilla-dev/flotilla/services/search/query"
	"github.com/flotilla-dev/flotilla/services/search/text"
)

// corpusWords has stems with several forms, words that are near each other, one that is too common, and one that is not ASCII.
var corpusWords = []string{
	"dog", "dogs", "dig", "house", "houses", "housing", "housed", "horse", "hot", "hat", "cat", "cats", "the", "of",
	"happy", "happily", "happier", "run", "running", "runs", "café", "receive", "receiver", "Dog's",
}

func genText(most int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(rapid.SampledFrom(corpusWords), 0, most).Draw(t, "words"), " ")
	})
}

// genChanges are changes of few ids, so that they are replaced and deleted often, with gaps between their offsets.
func genChanges(most int) *rapid.Generator[[]Change] {
	return rapid.Custom(func(t *rapid.T) []Change {
		changes := make([]Change, rapid.IntRange(0, most).Draw(t, "changes"))
		offset := int64(0)
		for i := range changes {
			offset += rapid.Int64Range(0, 3).Draw(t, "gap")
			id := "d" + strconv.Itoa(rapid.IntRange(0, 12).Draw(t, "id"))
			changes[i] = Change{Offset: offset, ID: id}
			if rapid.IntRange(0, 3).Draw(t, "delete") > 0 {
				changes[i].Document = genDocument(t, id)
			}
			offset++
		}
		return changes
	})
}

func genDocument(t *rapid.T, id string) *document.Document {
	d := &document.Document{ID: id, Title: genText(3).Draw(t, "title"), Text: genText(8).Draw(t, "text")}
	if pos := rapid.SampledFrom([]string{"", "noun", "verb"}).Draw(t, "pos"); pos != "" {
		d.Labels = map[string]string{"pos": pos}
		if rapid.Bool().Draw(t, "more") {
			d.Labels["topic"] = rapid.SampledFrom([]string{"animal", ""}).Draw(t, "topic")
		}
	}
	return d
}

// genQuery are trees of all kinds of nodes.
func genQuery(depth int) *rapid.Generator[*query.Node] {
	return rapid.Custom(func(t *rapid.T) *query.Node {
		kinds := []query.Kind{query.Term, query.Term, query.Phrase, query.Prefix, query.Fuzzy, query.Label, query.All}
		if depth > 0 {
			kinds = append(kinds, query.And, query.And, query.Or, query.Or, query.Not)
		}
		n := &query.Node{Kind: rapid.SampledFrom(kinds).Draw(t, "kind")}
		switch n.Kind {
		case query.And, query.Or:
			n.Nodes = rapid.SliceOfN(genQuery(depth-1), 1, 3).Draw(t, "nodes")
		case query.Not:
			n.Nodes = []*query.Node{genQuery(depth-1).Draw(t, "node")}
		case query.Label:
			n.Field, n.Words = "pos", []string{rapid.SampledFrom([]string{"noun", "verb", "other"}).Draw(t, "value")}
		case query.All:
		default:
			n.Field = rapid.SampledFrom([]string{query.AnyField, query.TitleField, query.TextField}).Draw(t, "field")
			genWords(t, n)
		}
		return n
	})
}

func genWords(t *rapid.T, n *query.Node) {
	switch n.Kind {
	case query.Term:
		n.Words = []string{stemOf(rapid.SampledFrom(append(corpusWords, "absent")).Draw(t, "word"))}
	case query.Phrase:
		n.Words = []string{stemOf(rapid.SampledFrom(corpusWords).Draw(t, "first"))}
		for _, word := range rapid.SliceOfN(rapid.SampledFrom(corpusWords), 0, 2).Draw(t, "rest") {
			if stem := text.Words(word)[0].Stem; stem != "" || rapid.Bool().Draw(t, "any") {
				n.Words = append(n.Words, stem)
			}
		}
		for n.Words[len(n.Words)-1] == "" {
			n.Words = n.Words[:len(n.Words)-1]
		}
	case query.Prefix:
		n.Words = []string{rapid.SampledFrom([]string{"do", "ho", "hous", "houses", "ha", "happ", "caf", "re", "zz"}).Draw(t, "prefix")}
	case query.Fuzzy:
		n.Words = []string{rapid.SampledFrom([]string{"dog", "house", "hose", "cafe", "recieve", "hppy", "zzzzzz"}).Draw(t, "fuzzy")}
		n.Edits = rapid.IntRange(1, 2).Draw(t, "edits")
	}
}

// stemOf is the stem of a word, or of another when it is too common.
func stemOf(word string) string {
	if stem := text.Words(word)[0].Stem; stem != "" {
		return stem
	}
	return "dog"
}

// hand is a clock that a test moves.
type hand struct{ now time.Time }

func (h *hand) time() time.Time { return h.now }

// replayed applies changes in batches of random sizes, while time passes.
func replayed(t *rapid.T, changes []Change, options Options) *Index {
	h := &hand{now: time.Unix(0, 0)}
	options.Now = h.time
	x := New(options)
	apply(t, x, h, changes)
	return x
}

func apply(t *rapid.T, x *Index, h *hand, changes []Change) {
	for len(changes) > 0 {
		size := rapid.IntRange(1, len(changes)).Draw(t, "batch")
		if err := x.Apply(changes[:size]); err != nil {
			t.Fatal(err)
		}
		changes = changes[size:]
		h.now = h.now.Add(time.Duration(rapid.IntRange(0, 30).Draw(t, "seconds")) * time.Second)
		if rapid.IntRange(0, 4).Draw(t, "sweep") == 0 {
			x.Sweep()
		}
	}
}

// check runs a property, often enough to find what is rare.
func check(t *testing.T, property func(*rapid.T)) {
	t.Helper()
	rapid.Check(t, property)
}

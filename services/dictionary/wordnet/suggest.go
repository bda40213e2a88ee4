package wordnet

import (
	"bytes"
	"cmp"
	"slices"
)

// MaxSuggestions bounds what Complete and Near return.
const MaxSuggestions = 50

// Suggestion is a lemma that may have been meant.
type Suggestion struct {
	Link
	Distance int `json:"distance"` // edits from what was asked; 0 for completions
	weight   uint32
	lemma    int
}

// better orders suggestions: near ones first, then common ones, then by alphabet.
func better(a, b Suggestion) int {
	return cmp.Or(cmp.Compare(a.Distance, b.Distance), cmp.Compare(b.weight, a.weight), cmp.Compare(a.lemma, b.lemma))
}

// top keeps the best few suggestions in order.
type top struct {
	limit int
	list  []Suggestion
}

func (t *top) full() bool { return len(t.list) == t.limit }

func (t *top) add(s Suggestion) {
	if t.full() && better(t.list[t.limit-1], s) <= 0 {
		return
	}
	at, _ := slices.BinarySearchFunc(t.list, s, better)
	if t.full() {
		t.list = t.list[:t.limit-1]
	}
	t.list = slices.Insert(t.list, at, s)
}

// linked fills the links in, for the survivors only.
func (t *top) linked(d *Dictionary) []Suggestion {
	for i := range t.list {
		t.list[i].Link = d.link(t.list[i].lemma)
	}
	return t.list
}

// Complete returns the commonest lemmas that begin with a prefix; the lemma that
// equals it comes first. The work is one pass over the matching part of the index.
func (d *Dictionary) Complete(prefix string, limit int) []Suggestion {
	key := []byte(Fold(prefix))
	best := top{limit: min(max(limit, 0), MaxSuggestions)}
	if len(key) == 0 || best.limit == 0 {
		return nil
	}
	from := d.search(0, d.lemmas, key)
	for i := from; i < d.lemmas && bytes.HasPrefix(d.key(i), key); i++ {
		weight := d.weight(i)
		if i == from && len(d.key(i)) == len(key) {
			weight = ^uint32(0)
		}
		best.add(Suggestion{weight: weight, lemma: i})
	}
	return best.linked(d)
}

// Random returns the lemma of a number in [0, Len).
func (d *Dictionary) Random(number int) Match {
	key := string(d.key(number))
	return Match{Key: key, Lemma: true, lemma: number}
}

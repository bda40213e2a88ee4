package wordnet

import (
	"slices"
	"strings"
)

// Match is what a word was found to be.
type Match struct {
	Key   string // of the URL: a lemma's, or that of an inflected form
	Lemma bool   // whether Key itself is a lemma
	Bases []Base // lemmas of which Key is an inflected form, beside itself
	lemma int
}

// Found tells whether there is anything to show.
func (m Match) Found() bool { return m.Lemma || len(m.Bases) > 0 }

// Base is a lemma, and the parts of speech in which a form can be its inflection.
type Base struct {
	Key   string
	As    []PartOfSpeech
	lemma int
}

// Resolve finds what word means: a lemma, a spelling variant of one (hot-dog,
// e_mail, PhD), or an inflected form (mice, ran). Key is what the word should be
// spelt like, and is Fold(word) when nothing was found.
func (d *Dictionary) Resolve(word string) Match {
	key := Fold(word)
	for _, variant := range variants(key) {
		if lemma := d.find(variant); lemma >= 0 {
			return Match{Key: variant, Lemma: true, lemma: lemma, Bases: d.bases(variant, lemma)}
		}
	}
	for _, variant := range variants(key) {
		if bases := d.bases(variant, -1); len(bases) > 0 {
			return Match{Key: variant, Bases: bases, lemma: -1}
		}
	}
	return Match{Key: key, lemma: -1}
}

// variants are the spellings that WordNet's own search tries, best first.
func variants(key string) []string {
	all := []string{key}
	for _, change := range [][2]string{{"-", "_"}, {"_", "-"}, {"_", ""}, {"-", ""}, {".", ""}} {
		if !strings.Contains(key, change[0]) {
			continue
		}
		if v := strings.ReplaceAll(key, change[0], change[1]); v != "" && !slices.Contains(all, v) {
			all = append(all, v)
		}
	}
	return all
}

// bases lists the lemmas, other than itself, of which key is an inflected form.
func (d *Dictionary) bases(key string, itself int) []Base {
	var bases []Base
	for pos := Noun; pos <= Adverb; pos++ {
		for _, lemma := range d.lemmatise(key, pos) {
			if lemma == itself {
				continue
			}
			at := slices.IndexFunc(bases, func(b Base) bool { return b.lemma == lemma })
			if at < 0 {
				bases = append(bases, Base{Key: string(d.key(lemma)), lemma: lemma})
				at = len(bases) - 1
			}
			bases[at].As = append(bases[at].As, pos)
		}
	}
	return bases
}

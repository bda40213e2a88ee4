package wordnet

import (
	"bytes"
	"cmp"
	"slices"
	"sort"
	"strings"
)

// detachments are WordNet's endings of regular inflections ("morphy").
var detachments = [...][][2]string{
	Noun:      {{"s", ""}, {"ses", "s"}, {"xes", "x"}, {"zes", "z"}, {"ches", "ch"}, {"shes", "sh"}, {"men", "man"}, {"ies", "y"}},
	Verb:      {{"s", ""}, {"ies", "y"}, {"es", "e"}, {"es", ""}, {"ed", "e"}, {"ed", ""}, {"ing", "e"}, {"ing", ""}},
	Adjective: {{"er", ""}, {"est", ""}, {"er", "e"}, {"est", "e"}},
	Adverb:    {},
}

// maxParts bounds the words of a phrase that are looked at one by one.
const maxParts = 9

// lemmatise returns the lemmas of which key can be the inflected form as a part
// of speech. Irregular forms come from the exception lists, regular ones lose
// their endings; in a phrase ("attorneys_general", "ran_out") its words are tried.
func (d *Dictionary) lemmatise(key string, pos PartOfSpeech) []int {
	var found []int
	add := func(candidates ...string) {
		for _, c := range candidates {
			if lemma := d.find(c); lemma >= 0 && d.isA(lemma, pos) && !slices.Contains(found, lemma) {
				found = append(found, lemma)
			}
		}
	}
	add(d.exceptions(key, pos)...)
	if len(found) > 0 {
		return found // an irregular form has no regular reading: WordNet's rule
	}
	add(detach(key, pos)...)
	if len(found) == 0 && strings.ContainsAny(key, "_-") {
		add(d.phrases(key, pos)...)
	}
	return found
}

// detach takes the regular endings off a word.
func detach(word string, pos PartOfSpeech) []string {
	ending := ""
	if stem, isFul := strings.CutSuffix(word, "ful"); isFul && pos == Noun {
		word, ending = stem, "ful" // boxesful → boxful
	} else if pos == Noun && (strings.HasSuffix(word, "ss") || len(word) <= 2) {
		return nil // glass is no plural
	}
	var bases []string
	for _, rule := range detachments[pos] {
		if stem, ok := strings.CutSuffix(word, rule[0]); ok && stem != "" {
			bases = append(bases, stem+rule[1]+ending)
		}
	}
	return bases
}

// phrases returns what a phrase may be when one of its words, or all of them, are
// taken back to their base.
func (d *Dictionary) phrases(key string, pos PartOfSpeech) []string {
	parts := strings.FieldsFunc(key, func(r rune) bool { return r == '_' || r == '-' })
	if len(parts) < 2 || len(parts) > maxParts {
		return nil
	}
	var phrases []string
	all, at := key, 0
	for _, part := range parts {
		at += strings.Index(key[at:], part)
		for _, base := range d.wordBases(part, pos) {
			phrases = append(phrases, key[:at]+base+key[at+len(part):])
			all = strings.Replace(all, part, base, 1)
		}
		at += len(part)
	}
	return append(phrases, all)
}

// wordBases returns the bases of one word of a phrase.
func (d *Dictionary) wordBases(word string, pos PartOfSpeech) []string {
	if irregular := d.exceptions(word, pos); len(irregular) > 0 {
		return irregular
	}
	return detach(word, pos)
}

// exceptions returns the bases of an irregular form.
func (d *Dictionary) exceptions(form string, pos PartOfSpeech) []string {
	key := []byte(form)
	n := d.count(Exceptions)
	i := sort.Search(n, func(i int) bool { return d.compareException(i, pos, key) >= 0 })
	var bases []string
	for ; i < n && d.compareException(i, pos, key) == 0; i++ {
		bases = append(bases, string(d.counted(ExceptionText, d.u32(Exceptions, i, 1))))
	}
	return bases
}

// compareException orders an exception beside a part of speech and a form.
func (d *Dictionary) compareException(i int, pos PartOfSpeech, form []byte) int {
	if c := cmp.Compare(PartOfSpeech(d.u8(Exceptions, i, 8)), pos); c != 0 {
		return c
	}
	return bytes.Compare(d.counted(ExceptionText, d.u32(Exceptions, i, 0)), form)
}

// isA tells whether a lemma has a sense of the part of speech.
func (d *Dictionary) isA(lemma int, pos PartOfSpeech) bool {
	from, to := d.sensesOf(lemma)
	for i := from; i < to; i++ {
		if PartOfSpeech(d.u8(Senses, i, 5)) == pos {
			return true
		}
	}
	return false
}

package index

import (
	"math/bits"
	"slices"
	"strings"

	"github.com/tidwall/btree"
)

// term is what documents are found by: a stem with the surface forms that lead to it, or a label with its value.
type term struct {
	key       string
	postings  postings
	documents history[fields] // that live and have it
	forms     []*form
}

// form is a word as it is written in documents, lower-cased.
type form struct {
	word      string
	term      *term
	documents history[fields] // that live and have it
}

// forms are surface forms in order.
type forms = btree.Map[string, sketched]

// sketched is a form with what tells from most words at a glance that they are not nearly the same.
type sketched struct {
	*form
	sketch
}

// sketch is how many letters a word has, and which, by their last five bits.
type sketch struct {
	letters uint32
	set     uint32
}

func sketchOf(word string) sketch {
	var s sketch
	for _, r := range word {
		s.letters++
		s.set |= 1 << (uint32(r) % 32)
	}
	return s
}

// far tells of two words that they are more than some edits apart. An edit adds or takes a letter at most, and changes at most two
// letters of the set: when it replaces one. That it does not say so proves nothing.
func (s sketch) far(other sketch, edits int) bool {
	letters := int(s.letters) - int(other.letters)
	return letters > edits || -letters > edits || bits.OnesCount32(s.set^other.set) > 2*edits
}

// vocabulary has terms by key, and in an order in which they can be gone through bit by bit.
type vocabulary struct {
	terms map[string]*term
	all   []*term
	place int // of the next to be tidied
}

func newVocabulary() vocabulary { return vocabulary{terms: make(map[string]*term)} }

// get makes the term when there is none yet. The key is kept: it must not be part of something bigger.
func (v *vocabulary) get(key string) (t *term, made bool) {
	if t = v.terms[key]; t != nil {
		return t, false
	}
	t = &term{key: strings.Clone(key)}
	v.terms[t.key] = t
	v.all = append(v.all, t)
	return t, true
}

// remove takes out the term at a place; the last comes there instead.
func (v *vocabulary) remove(place int) {
	delete(v.terms, v.all[place].key)
	last := len(v.all) - 1
	v.all[place] = v.all[last]
	v.all[last] = nil
	v.all = v.all[:last]
}

// form finds a surface form of a term. There are few.
func (t *term) form(word string) *form {
	for _, f := range t.forms {
		if f.word == word {
			return f
		}
	}
	return nil
}

// addForm makes a surface form.
func (t *term) addForm(word string) *form {
	f := &form{word: strings.Clone(word), term: t}
	t.forms = append(t.forms, f)
	return f
}

// idle tells whether no epoch that is kept has a document with the form.
func (f *form) idle() bool { return f.documents.now[anyField] == 0 && len(f.documents.past) == 0 }

// idle tells whether no epoch that is kept has anything of the term.
func (t *term) idle() bool {
	return t.postings.count == 0 && len(t.forms) == 0 && t.documents.now[anyField] == 0 && len(t.documents.past) == 0
}

// worn tells whether so many postings are of versions that were replaced or deleted that it is worth while to look for those that nobody
// can ask for.
func (t *term) worn() bool {
	live := int(t.documents.now[anyField])
	return t.postings.count-live > live/2
}

// dropIdleForms takes out those that no epoch has, and returns them.
func (t *term) dropIdleForms() []*form {
	var gone []*form
	t.forms = slices.DeleteFunc(t.forms, func(f *form) bool {
		if f.idle() {
			gone = append(gone, f)
			return true
		}
		return false
	})
	return gone
}

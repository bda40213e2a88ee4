package index

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/flotilla-dev/flotilla/services/search/document"
	"github.com/flotilla-dev/flotilla/services/search/text"
)

// analysis is what the index has of a document: its words with their places. It is used again and again by the one who writes.
type analysis struct {
	tokens      []text.Token // of the title, then of the text, while they are read
	occurrences []occurrence // by stem, then title before text, then position
	lengths     [fieldCount]uint32
}

type occurrence struct {
	stem, form string
	position   uint32
	field      uint8 // titleField or textField
}

// read analyses a document.
func (a *analysis) read(title, body string) {
	a.occurrences = a.occurrences[:0]
	a.lengths[titleField] = a.field(titleField, title)
	a.lengths[textField] = a.field(textField, body)
	a.lengths[anyField] = a.lengths[titleField] + a.lengths[textField]
	slices.SortFunc(a.occurrences, func(x, y occurrence) int {
		return cmp.Or(strings.Compare(x.stem, y.stem), cmp.Compare(x.field, y.field), cmp.Compare(x.position, y.position))
	})
}

func (a *analysis) field(field uint8, s string) uint32 {
	a.tokens = text.Append(a.tokens[:0], s)
	for _, token := range a.tokens {
		a.occurrences = append(a.occurrences, occurrence{
			stem: token.Stem, form: token.Surface, position: uint32(token.Position), field: field,
		})
	}
	return uint32(len(a.tokens))
}

// word is a stem with its places and forms in a document.
type word struct {
	stem        string
	title, text []uint32 // positions
	forms       []wordForm
}

type wordForm struct {
	form string
	in   fields
}

func (w *word) in() fields { return in(len(w.title) > 0, len(w.text) > 0) }

// words calls for each stem of the document. What it gives is good until the next call.
func (a *analysis) words(each func(*word)) {
	var w word
	for from := 0; from < len(a.occurrences); {
		w.stem, w.title, w.text, w.forms = a.occurrences[from].stem, w.title[:0], w.text[:0], w.forms[:0]
		until := from
		for ; until < len(a.occurrences) && a.occurrences[until].stem == w.stem; until++ {
			w.take(&a.occurrences[until])
		}
		each(&w)
		from = until
	}
}

func (w *word) take(o *occurrence) {
	if o.field == titleField {
		w.title = append(w.title, o.position)
	} else {
		w.text = append(w.text, o.position)
	}
	place := slices.IndexFunc(w.forms, func(f wordForm) bool { return f.form == o.form })
	if place < 0 {
		place = len(w.forms)
		w.forms = append(w.forms, wordForm{form: o.form})
	}
	w.forms[place].in[o.field], w.forms[place].in[anyField] = 1, 1
}

// Labels are kept in one string, name, 0, value, 0, …, sorted by name: documents with the same labels share it.
func packLabels(labels map[string]string) string {
	var packed strings.Builder
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		packed.WriteString(labelKey(name, labels[name]))
	}
	return packed.String()
}

// labelKey is that of a label's term.
func labelKey(name, value string) string { return name + "\x00" + value + "\x00" }

// eachLabel goes through packed labels.
func eachLabel(packed string, each func(name, value string)) {
	for packed != "" {
		name, rest, _ := strings.Cut(packed, "\x00")
		value, after, _ := strings.Cut(rest, "\x00")
		each(name, value)
		packed = after
	}
}

func unpackLabels(packed string) map[string]string {
	if packed == "" {
		return nil
	}
	labels := make(map[string]string)
	eachLabel(packed, func(name, value string) { labels[name] = value })
	return labels
}

// labelled tells whether a document's labels can be kept: a 0 would divide them anew.
func labelled(d *document.Document) bool {
	for name, value := range d.Labels {
		if strings.Contains(name, "\x00") || strings.Contains(value, "\x00") {
			return false
		}
	}
	return true
}

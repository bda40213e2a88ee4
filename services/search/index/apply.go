package index

import "unique"

// apply takes one change in. Words are taken apart before the lock.
func (x *Index) apply(change *Change) {
	number := x.ids[change.ID]
	lookup := cursor{table: x.table}
	before := lookup.find(number)
	if before != nil && before.deleted.Load() != alive {
		before = nil
	}
	if before != nil {
		x.old.read(before.titleText(), before.textText())
	}
	if change.Document != nil {
		x.new.read(change.Document.Title, change.Document.Text)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if before == nil && change.Document == nil {
		return
	}
	if x.remember && x.totals.remember(change.Offset) {
		x.bytes += momentBytes
	}
	if before != nil {
		x.take(before, change.Offset)
	}
	if change.Document != nil {
		x.put(change, number)
	}
}

// take makes a version dead; x.old has its words.
func (x *Index) take(v *version, offset int64) {
	v.deleted.Store(offset)
	x.dead++
	x.old.words(func(w *word) {
		t := x.stems.terms[w.stem]
		x.change(&t.documents, offset, t.documents.now.minus(w.in()))
		for _, f := range w.forms {
			form := t.form(f.form)
			x.change(&form.documents, offset, form.documents.now.minus(f.in))
		}
	})
	eachLabel(v.labels.Value(), func(name, value string) {
		t := x.labels.terms[labelKey(name, value)]
		t.documents.now[anyField]-- // without a past: nobody asks
	})
	x.totals.now.documents--
	for field := range fieldCount {
		x.totals.now.lengths[field] -= int64(v.length(field))
	}
}

// put adds a version; x.new has its words.
func (x *Index) put(change *Change, previous uint64) {
	d := change.Document
	number, v := x.table.add()
	v.data, v.named, v.titled = d.ID+d.Title+d.Text, uint16(len(d.ID)), uint32(len(d.Title))
	v.labels = unique.Make(packLabels(d.Labels))
	v.added, v.previous, v.title, v.text = change.Offset, previous, x.new.lengths[titleField], x.new.lengths[textField]
	v.deleted.Store(alive)
	x.ids[v.id()] = number
	x.bytes += v.size()
	x.new.words(func(w *word) { x.putWord(w, number, change.Offset) })
	eachLabel(v.labels.Value(), func(name, value string) {
		t, made := x.labels.get(labelKey(name, value))
		if made {
			x.bytes += t.size()
		}
		t.documents.now[anyField]++
		x.bytes += int64(t.postings.add(number, nil, nil))
	})
	x.totals.now.documents++
	for field := range fieldCount {
		x.totals.now.lengths[field] += int64(v.length(field))
	}
}

func (x *Index) putWord(w *word, number uint64, offset int64) {
	t, made := x.stems.get(w.stem)
	if made {
		x.bytes += t.size()
	}
	x.change(&t.documents, offset, t.documents.now.plus(w.in()))
	x.bytes += int64(t.postings.add(number, w.title, w.text))
	for _, f := range w.forms {
		known := t.form(f.form)
		if known == nil {
			known = t.addForm(f.form)
			x.forms.Set(known.word, sketched{form: known, sketch: sketchOf(known.word)})
			x.formed = true
			x.bytes += known.size()
		}
		x.change(&known.documents, offset, known.documents.now.plus(f.in))
	}
}

// change gives a number of documents a new value from an offset on.
func (x *Index) change(h *history[fields], offset int64, value fields) {
	if x.remember && h.remember(offset) {
		x.bytes += momentBytes
	}
	h.now = value
}

// What things take, about, with what the allocator and maps add.
const (
	momentBytes  = 32
	versionBytes = 64 + 48 // with its place among the ids
	termBytes    = 176 + 48
	formBytes    = 72 + 56 // with its place in the tree
)

func (v *version) size() int64 { return versionBytes + int64(len(v.data)) }
func (t *term) size() int64    { return termBytes + int64(len(t.key)) }
func (f *form) size() int64    { return formBytes + int64(len(f.word)) }

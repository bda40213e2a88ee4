// Package index is an inverted index in memory that can answer for any moment of the last minute, and that scores with statistics
// it is given.
//
// It is built from a log of documents by one writer. Its moments are epochs: offsets of that log; the state at an epoch is that
// after all records before it. Indexes that applied the same log have the same states at the same epochs, and answer the same
// bits, whatever else they applied since, and whether they replayed the log or were restored from a dump.
//
//	x := index.New(index.Options{Versions: time.Minute})
//	err := x.Apply([]index.Change{{Offset: 17, ID: "n02084071", Document: &document.Document{…}}})
//	view, err := x.At(wire.Latest)
//	statistics, err := view.Statistics(q)   // what this index knows of the query
//	plan, err := index.Sum(q, []wire.Statistics{statistics, …}) // of all shards
//	answer, err := view.Search(ctx, wire.SearchRequest{Epoch: view.Epoch(), Plan: plan, Limit: 10})
//
// # How it is built
//
// A version of a document has a number, in the order of the log. A stem has postings: for each version with it, where it stands,
// in compact bytes that are only appended to. A search takes, under a lock and in microseconds, the lists that it needs as they are
// then – lengths of slices – and works on these alone: the writer does not wait for it, and it never sees half a change, because
// whatever is written later has an offset that its epoch does not see. Numbers of documents, lengths, and of documents with a stem
// or a surface form are kept with what they were at each epoch of the window, so that statistics are exact without a look at
// postings.
//
// What no epoch of the window sees is swept while changes are applied, a little with each of them: postings are rewritten when
// a third of them is dead, tables of versions likewise, and words that nobody uses go. So an index whose documents are
// replaced again and again stays as big as its documents are, and what the window holds.
package index

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"
	"unique"

	"github.com/flotilla-dev/flotilla/services/search/document"
	"github.com/flotilla-dev/flotilla/services/search/wire"
)

// Errors of an index.
var (
	ErrGone   = errors.New("the epoch is older than those that are kept")
	ErrFuture = errors.New("the epoch has not been reached yet")
	ErrFull   = errors.New("the index is as big as it may be")
)

// Options of an index.
type Options struct {
	Versions    time.Duration    // how long an epoch can be asked for after it was the newest; 0: not at all
	MostChanges int              // that are kept apart at most, whatever Versions says: a flood of writes shortens the window; 0: 65,536
	MaxBytes    int64            // past which no document is taken; 0: no bound
	Now         func() time.Time // nil: time.Now
}

// Change is a record of the log. Without a document it deletes.
type Change struct {
	Offset   int64
	ID       string
	Document *document.Document
}

// Index is an inverted index in memory. One goroutine writes, any number reads.
type Index struct {
	options Options
	writer  sync.Mutex // held by Apply, Advance, Restore and Sweep: who reads does not wait for it
	window  window
	worn    int // dead versions at which the table is swept next

	mu        sync.RWMutex // guards what follows, for moments; the writer alone changes it, and so reads it without
	epoch     int64
	oldest    int64
	changed   chan struct{} // closed when the epoch has moved; nil: nobody waits
	table     table
	ids       map[string]uint64 // number of the latest version
	dead      int               // versions in the table that were replaced or deleted
	stems     vocabulary
	labels    vocabulary
	forms     *forms // the writer's
	formed    bool   // it was changed since it was published
	published *forms // as of the epoch; never changed, so that it is gone through without the lock
	totals    history[totals]
	bytes     int64
	remember  bool // false while the index is restored: epochs before the end of that cannot be asked for

	old, new analysis // the writer's
}

// New makes an empty index, at epoch 0.
func New(options Options) *Index {
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.MostChanges <= 0 {
		options.MostChanges = 1 << 16
	}
	return &Index{
		options: options, window: window{versions: options.Versions}, remember: true,
		table: newTable(), ids: make(map[string]uint64), stems: newVocabulary(), labels: newVocabulary(),
		forms: new(forms), published: new(forms),
	}
}

// Epoch is the newest: the offset after the last change.
func (x *Index) Epoch() int64 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.epoch
}

// Oldest is the oldest epoch that can be asked for.
func (x *Index) Oldest() int64 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.oldest
}

// Size tells how many documents live in the newest state, how many different stems are known, and about how many bytes all of it takes.
func (x *Index) Size() (documents, words, bytes int64) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.totals.now.documents, int64(len(x.stems.all)), x.bytes
}

// Apply applies changes: offsets ascend, and none is before the epoch. Readers see all of them or none. On an error nothing is applied.
func (x *Index) Apply(changes []Change) error {
	x.writer.Lock()
	defer x.writer.Unlock()
	if len(changes) == 0 {
		return nil
	}
	if err := x.check(changes); err != nil {
		return err
	}
	for i := range changes {
		x.apply(&changes[i])
	}
	x.publish(changes[len(changes)-1].Offset + 1)
	x.sweep(len(changes))
	return nil
}

// Advance tells that the log has nothing else before an offset: it was compacted, or has records that are no documents.
func (x *Index) Advance(offset int64) {
	x.writer.Lock()
	defer x.writer.Unlock()
	if offset > x.epoch {
		x.publish(offset)
	}
	x.sweep(1)
}

// Sweep drops all that no epoch of the window needs. Apply does it little by little; who has nothing to apply for some time calls this,
// so that what the window held is given back.
func (x *Index) Sweep() {
	x.writer.Lock()
	defer x.writer.Unlock()
	x.publish(x.epoch)
	x.sweep(max(len(x.stems.all), len(x.labels.all)))
	if x.dead > 0 {
		x.sweepTable()
	}
	x.publish(x.epoch)
}

// Restore fills an empty index with a dump: the documents of the state at an epoch, in the order of their offsets. It then has that
// epoch alone. After an error it is of no use.
func (x *Index) Restore(epoch int64, documents iter.Seq2[Change, error]) error {
	x.writer.Lock()
	defer x.writer.Unlock()
	if x.epoch != 0 || x.table.next != 1 {
		return errors.New("restore: the index is not empty")
	}
	x.remember = false
	defer func() { x.remember = true }()
	before := int64(-1)
	for change, err := range documents {
		if err != nil {
			return fmt.Errorf("restore: %w", err)
		}
		if change.Document == nil || change.Offset <= before || change.Offset >= epoch {
			return fmt.Errorf("restore: a dump has living documents in the order of their offsets below %d, not this at %d after %d", epoch, change.Offset, before)
		}
		if err := x.check([]Change{change}); err != nil {
			return fmt.Errorf("restore: %w", err)
		}
		if x.ids[change.ID] != 0 {
			return fmt.Errorf("restore: %q is there twice", change.ID)
		}
		x.apply(&change)
		before = change.Offset
	}
	x.window = window{versions: x.options.Versions, oldest: epoch}
	x.publish(epoch)
	return nil
}

// check refuses what cannot be applied.
func (x *Index) check(changes []Change) error {
	before, size := x.epoch-1, int64(0)
	for i := range changes {
		change := &changes[i]
		if change.Offset <= before {
			return fmt.Errorf("apply: offset %d comes after %d", change.Offset, before)
		}
		before = change.Offset
		if change.ID == "" || len(change.ID) > longestID {
			return fmt.Errorf("apply: an id has 1 to %d bytes, that at offset %d has %d", longestID, change.Offset, len(change.ID))
		}
		if d := change.Document; d != nil {
			if d.ID != change.ID || !labelled(d) || len(d.Title)+len(d.Text) > longestDocument {
				return fmt.Errorf("apply: the document %q at offset %d has another id, a label with a zero byte, or more than %d bytes", change.ID, change.Offset, longestDocument)
			}
			size += int64(len(d.Title) + len(d.Text))
		}
	}
	if x.options.MaxBytes > 0 && size > 0 && x.bytes+size > x.options.MaxBytes {
		return ErrFull
	}
	return nil
}

// What an index can take; what it is given is bounded more tightly.
const (
	longestID       = 1<<16 - 1
	longestDocument = 1 << 24
)

// publish makes an epoch the newest, and moves the window.
func (x *Index) publish(epoch int64) {
	now := x.options.Now()
	if epoch != x.epoch {
		x.window.leave(x.epoch, now)
	}
	x.window.move(epoch, now)
	if past := x.totals.past; len(past) > x.options.MostChanges {
		x.window.oldest = max(x.window.oldest, past[len(past)-x.options.MostChanges].until)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.epoch, x.oldest = epoch, x.window.oldest
	if x.formed {
		x.published, x.formed = x.forms.Copy(), false
	}
	if x.changed != nil {
		close(x.changed)
		x.changed = nil
	}
}

// Wait returns when an epoch has been reached.
func (x *Index) Wait(ctx context.Context, epoch int64) error {
	for {
		changed := x.until(epoch)
		if changed == nil {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("wait for epoch %d: %w", epoch, context.Cause(ctx))
		}
	}
}

// until returns what is closed when the epoch has moved, or nil when it has been reached.
func (x *Index) until(epoch int64) <-chan struct{} {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.epoch >= epoch {
		return nil
	}
	if x.changed == nil {
		x.changed = make(chan struct{})
	}
	return x.changed
}

// At returns a view of an epoch, wire.Latest being the newest. It holds nothing: ErrGone may come later, too.
func (x *Index) At(epoch int64) (*View, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	switch {
	case epoch == wire.Latest:
		epoch = x.epoch
	case epoch > x.epoch:
		return nil, ErrFuture
	case epoch < x.oldest:
		return nil, ErrGone
	}
	return &View{index: x, epoch: epoch}, nil
}

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
			x.forms.Set(known.word, known)
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
	formBytes    = 72 + 40 // with its place in the tree
)

func (v *version) size() int64 { return versionBytes + int64(len(v.data)) }
func (t *term) size() int64    { return termBytes + int64(len(t.key)) }
func (f *form) size() int64    { return formBytes + int64(len(f.word)) }

// sweep does the share of tidying that so many changes bring.
func (x *Index) sweep(changes int) {
	steps := (changes + 1) * sweepPerChange
	x.sweepTerms(&x.stems, steps)
	x.sweepTerms(&x.labels, steps)
	x.mu.Lock()
	if gone := x.totals.forget(x.oldest); gone > 0 {
		x.bytes -= int64(gone) * momentBytes
	}
	x.mu.Unlock()
	if x.dead > max(x.worn, int(x.totals.now.documents)/4+pageSize) {
		x.sweepTable()
	}
}

// sweepPerChange is how many terms are looked at for each change: several times as many as one touches, so that what is dead is a
// small share of what lives, and few enough to cost little beside the change.
const sweepPerChange = 32

func (x *Index) sweepTerms(v *vocabulary, steps int) {
	for range min(steps, len(v.all)) {
		if v.place >= len(v.all) {
			v.place = 0
		}
		if v.place < len(v.all) && x.tidy(v, v.place) {
			v.place++
		}
	}
}

// tidy drops what no epoch needs of a term, and tells whether it is still there. Postings are rewritten before the lock: readers keep
// those that they took.
func (x *Index) tidy(v *vocabulary, place int) bool {
	t := v.all[place]
	if !t.untidy(x.oldest) {
		return true
	}
	rest, rewritten := t.postings, t.worn()
	if rewritten {
		at := cursor{table: x.table}
		rest = t.postings.without(func(number uint64) bool {
			version := at.find(number)
			return version == nil || version.gone(x.oldest)
		})
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if rewritten {
		x.bytes -= int64(t.postings.size() - rest.size())
		t.postings = rest
	}
	x.bytes -= int64(t.documents.forget(x.oldest)) * momentBytes
	for _, f := range t.forms {
		x.bytes -= int64(f.documents.forget(x.oldest)) * momentBytes
	}
	for _, f := range t.dropIdleForms() {
		x.forms.Delete(f.word)
		x.formed = true
		x.bytes -= f.size()
	}
	if !t.idle() {
		return true
	}
	x.bytes -= t.size()
	v.remove(place)
	return false
}

// untidy tells whether a look at a term may be worth while.
func (t *term) untidy(oldest int64) bool {
	return t.worn() || t.documents.stale(oldest) || t.idle() ||
		slices.ContainsFunc(t.forms, func(f *form) bool { return f.idle() || f.documents.stale(oldest) })
}

// sweepTable drops the versions that no epoch sees. The new table is made before the lock.
func (x *Index) sweepTable() {
	type lost struct {
		number uint64
		id     string
		size   int64
	}
	var all []lost
	rest := x.table.swept(x.oldest, func(number uint64, v *version) {
		all = append(all, lost{number: number, id: v.id(), size: v.size()})
	})
	x.mu.Lock()
	defer x.mu.Unlock()
	x.table = rest
	x.dead -= len(all)
	for _, l := range all {
		x.bytes -= l.size
		if x.ids[l.id] == l.number {
			delete(x.ids, l.id)
		}
	}
	x.worn = 2 * x.dead
}

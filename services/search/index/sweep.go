package index

import "slices"

// Sweep drops all that no epoch of the window needs. Apply does it little by little; who has nothing to apply for some time calls this,
// so that what the window held is given back.
func (x *Index) Sweep() {
	x.writer.Lock()
	defer x.writer.Unlock()
	x.publish(x.epoch)
	x.sweep(max(len(x.stems.all), len(x.labels.all)))
	if x.dead > 0 {
		x.sweepTable(true)
	}
	x.publish(x.epoch)
}

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
		x.sweepTable(false)
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
func (x *Index) sweepTable(thoroughly bool) {
	type lost struct {
		number uint64
		id     string
		size   int64
	}
	var all []lost
	rest := x.table.swept(x.oldest, thoroughly, func(number uint64, v *version) {
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

package index

import (
	"slices"
	"sort"
	"sync/atomic"
	"unique"
)

// version is a document as it was written at an offset of the log. One takes a line of the processor's cache, because matching
// looks at every one that a word leads to.
type version struct {
	data     string                // id, title and text, one after the other
	labels   unique.Handle[string] // name, 0, value, 0, …, sorted by name; many documents share them
	added    int64                 // offset
	deleted  atomic.Int64          // offset of what replaced or deleted it; alive while nothing has
	previous uint64                // number of the version of the same id before this; 0: none
	title    uint32                // length in tokens
	text     uint32
	titled   uint32 // length of the title in bytes
	named    uint16 // length of the id in bytes
}

// alive is the offset of a deletion that has not been.
const alive = int64(-1)

// visible tells whether a version is part of the state at an epoch.
func (v *version) visible(epoch int64) bool {
	deleted := v.deleted.Load()
	return v.added < epoch && (deleted == alive || deleted >= epoch)
}

// gone tells whether no epoch that is kept sees a version.
func (v *version) gone(oldest int64) bool {
	deleted := v.deleted.Load()
	return deleted != alive && deleted < oldest
}

func (v *version) id() string { return v.data[:v.named] }

func (v *version) titleText() string { return v.data[v.named : uint32(v.named)+v.titled] }

func (v *version) textText() string { return v.data[uint32(v.named)+v.titled:] }

// length is that of a field in tokens.
func (v *version) length(field int) uint32 {
	switch field {
	case titleField:
		return v.title
	case textField:
		return v.text
	default:
		return v.title + v.text
	}
}

// table has the versions by number, in the order in which they were written: by number and by offset is the same order. A copy of
// the struct is a view of it that no later change touches, but for deletions, which are at offsets that the view's epochs do not see.
type table struct {
	pages []*page // replaced, never changed but behind its end
	next  uint64  // number of the next version
}

// page has versions that follow each other. Its numbers are those from first on, or, when some were swept, those that are listed.
type page struct {
	first    uint64
	numbers  []uint64
	versions []version
}

const pageSize = 256

func newTable() table { return table{next: 1} }

// add makes room for a version. The caller fills it in before others can come to know its number.
func (t *table) add() (number uint64, v *version) {
	number = t.next
	if len(t.pages) == 0 || t.pages[len(t.pages)-1].numbers != nil || number-t.pages[len(t.pages)-1].first == pageSize {
		t.pages = append(t.pages, &page{first: number, versions: make([]version, pageSize)})
	}
	last := t.pages[len(t.pages)-1]
	t.next++
	return number, &last.versions[number-last.first]
}

// in finds a version in a page.
func (p *page) in(number uint64) *version {
	if p.numbers == nil {
		if place := number - p.first; place < uint64(len(p.versions)) {
			return &p.versions[place]
		}
		return nil
	}
	if place, found := slices.BinarySearch(p.numbers, number); found {
		return &p.versions[place]
	}
	return nil
}

// cursor finds versions by number, fast when the numbers ascend.
type cursor struct {
	table
	place int
}

// find returns nil for a number whose version was swept: nobody sees it.
func (c *cursor) find(number uint64) *version {
	if number == 0 || number >= c.next || len(c.pages) == 0 {
		return nil
	}
	if !c.here(number) {
		after := sort.Search(len(c.pages), func(i int) bool { return c.pages[i].first > number })
		if after == 0 {
			return nil
		}
		c.place = after - 1
	}
	return c.pages[c.place].in(number)
}

func (c *cursor) here(number uint64) bool {
	return c.place < len(c.pages) && c.pages[c.place].first <= number &&
		(c.place+1 == len(c.pages) || number < c.pages[c.place+1].first)
}

// each yields the versions from a number on, until told to stop.
func (t *table) each(from uint64, yield func(number uint64, v *version) bool) {
	after := sort.Search(len(t.pages), func(i int) bool { return t.pages[i].first > from })
	for _, p := range t.pages[max(after-1, 0):] {
		for i := range p.versions {
			number := p.number(i)
			if number >= t.next {
				return
			}
			if number >= from && !yield(number, &p.versions[i]) {
				return
			}
		}
	}
}

func (p *page) number(place int) uint64 {
	if p.numbers == nil {
		return p.first + uint64(place)
	}
	return p.numbers[place]
}

// written finds the version that was written at an offset.
func (t *table) written(offset int64) *version {
	after := sort.Search(len(t.pages), func(i int) bool { return t.pages[i].versions[0].added > offset })
	if after == 0 {
		return nil
	}
	p := t.pages[after-1]
	used := len(p.versions)
	if p.numbers == nil {
		used = int(min(uint64(used), t.next-p.first))
	}
	place := sort.Search(used, func(i int) bool { return p.versions[i].added >= offset })
	if place == used || p.versions[place].added != offset {
		return nil
	}
	return &p.versions[place]
}

// swept returns a table without the versions that are gone, which it tells of. Pages that lose less than a quarter stay as they are,
// and so does the last, into which versions are written; but none does if all is to be swept.
func (t *table) swept(oldest int64, all bool, lose func(number uint64, v *version)) table {
	after := table{next: t.next}
	var rest *page // what is left of the pages before
	flush := func() {
		if rest != nil && len(rest.versions) > 0 {
			after.pages = append(after.pages, rest)
		}
		rest = nil
	}
	for i, p := range t.pages {
		lost := p.lost(oldest, t.next)
		few := i == len(t.pages)-1 || lost < len(p.versions)/4+1
		if lost == 0 || few && !all {
			flush()
			after.pages = append(after.pages, p)
			continue
		}
		for place := range p.versions {
			v := &p.versions[place]
			if p.number(place) >= t.next {
				break
			}
			if v.gone(oldest) {
				lose(p.number(place), v)
				continue
			}
			if rest == nil || len(rest.versions) == pageSize {
				flush()
				rest = &page{first: p.number(place), numbers: make([]uint64, 0, pageSize), versions: make([]version, 0, pageSize)}
			}
			rest.keep(p.number(place), v)
		}
	}
	flush()
	return after
}

func (p *page) lost(oldest int64, next uint64) int {
	lost := 0
	for i := range p.versions {
		if p.number(i) < next && p.versions[i].gone(oldest) {
			lost++
		}
	}
	return lost
}

// keep copies a version into a page that nobody else sees yet.
func (p *page) keep(number uint64, v *version) {
	p.numbers = append(p.numbers, number)
	p.versions = append(p.versions, version{
		data: v.data, labels: v.labels, added: v.added, previous: v.previous, title: v.title, text: v.text, titled: v.titled, named: v.named,
	})
	p.versions[len(p.versions)-1].deleted.Store(v.deleted.Load())
}

// from finds the first number from another on that has a version.
func (c *cursor) from(number uint64) uint64 {
	for {
		if number >= c.next || len(c.pages) == 0 {
			return none
		}
		if number < c.pages[0].first {
			number = c.pages[0].first
		}
		if c.find(number) != nil {
			return number
		}
		p := c.pages[c.place]
		place, _ := slices.BinarySearch(p.numbers, number)
		if place < len(p.numbers) {
			return p.numbers[place]
		}
		if c.place+1 == len(c.pages) {
			return none
		}
		number = c.pages[c.place+1].first
	}
}

package index

import (
	"container/heap"
	"context"
	"slices"
)

// matcher goes through the numbers of the versions that a part of a query matches, in order.
type matcher interface {
	at() uint64                // where it stands, none behind the last
	seek(target uint64) uint64 // goes to the first from target on, never back, and tells it
}

// scorer is a matcher of a leaf that scores.
type scorer interface {
	matcher
	frequency() float64 // of what is sought in the field, in the version that it stands at
}

// clock lets a search look at its context from time to time.
type clock struct {
	ctx   context.Context
	ticks uint
	over  bool
}

// tick tells whether the search has to end.
func (c *clock) tick() bool {
	if c.ticks++; c.ticks%512 == 0 && c.ctx.Err() != nil {
		c.over = true
	}
	return c.over
}

// wordMatcher matches a stem in a field.
type wordMatcher struct {
	reader
	field int
	clock *clock
}

func newWordMatcher(p postings, field int, c *clock) *wordMatcher {
	m := &wordMatcher{reader: newReader(p), field: field, clock: c}
	m.settle()
	return m
}

func (m *wordMatcher) at() uint64 { return m.number }

func (m *wordMatcher) seek(target uint64) uint64 {
	if m.number < target {
		m.reader.seek(target)
		m.settle()
	}
	return m.number
}

// settle goes on to a version that has the word in the field.
func (m *wordMatcher) settle() {
	for m.number != none && m.occurrences(m.field) == 0 {
		if m.clock.tick() {
			m.number = none
			return
		}
		m.reader.seek(m.number + 1)
	}
}

func (m *wordMatcher) frequency() float64 { return float64(m.occurrences(m.field)) }

// labelMatcher matches a label.
type labelMatcher struct{ reader }

func (m *labelMatcher) at() uint64 { return m.number }

// phraseMatcher matches words that follow each other within the title or within the text.
type phraseMatcher struct {
	words   []*wordMatcher
	offsets []uint32 // of each word in the phrase; any word may stand between them
	field   int
	clock   *clock
	number  uint64
	count   int // occurrences
	starts  []uint32
}

// newPhraseMatcher takes the postings of the words, in their order, and where in the phrase they are.
func newPhraseMatcher(lists []postings, offsets []uint32, field int, c *clock) *phraseMatcher {
	m := &phraseMatcher{offsets: offsets, field: field, clock: c}
	for _, list := range lists {
		m.words = append(m.words, newWordMatcher(list, field, c))
	}
	m.seek(1)
	return m
}

func (m *phraseMatcher) at() uint64 { return m.number }

func (m *phraseMatcher) frequency() float64 { return float64(m.count) }

func (m *phraseMatcher) seek(target uint64) uint64 {
	for m.number < target {
		m.number = together(m.words, target, m.clock)
		if m.number == none {
			break
		}
		if m.count = m.occurrences(); m.count == 0 {
			target = m.number + 1
			continue
		}
		break
	}
	return m.number
}

// together finds the first number from target on at which all matchers stand.
func together[M matcher](all []M, target uint64, c *clock) uint64 {
	if len(all) == 0 {
		return none
	}
	for agreed := 0; agreed < len(all); {
		agreed = 0
		for _, m := range all {
			number := m.seek(target)
			if number == none || c.tick() {
				return none
			}
			if number > target {
				target = number
				break
			}
			agreed++
		}
	}
	return target
}

func (m *phraseMatcher) occurrences() int {
	count := 0
	if m.field != textField {
		count += m.occurrencesIn(func(w *wordMatcher) []uint32 { title, _ := w.positions(); return title })
	}
	if m.field != titleField {
		count += m.occurrencesIn(func(w *wordMatcher) []uint32 { _, text := w.positions(); return text })
	}
	return count
}

// occurrencesIn counts the positions at which the phrase begins: those of its first word of which all others are at their offsets.
func (m *phraseMatcher) occurrencesIn(positions func(*wordMatcher) []uint32) int {
	m.starts = append(m.starts[:0], positions(m.words[0])...)
	for i, w := range m.words[1:] {
		theirs, ahead := positions(w), m.offsets[i+1]-m.offsets[0]
		m.starts = slices.DeleteFunc(m.starts, func(start uint32) bool {
			_, is := slices.BinarySearch(theirs, start+ahead)
			return !is
		})
	}
	return len(m.starts)
}

// groupMatcher matches any of several stems, as if they were one: what a prefix or a fuzzy word leads to. Its members are a heap by
// where they stand.
type groupMatcher struct {
	members []*member
	here    []*member
}

type member struct {
	*wordMatcher
	place  int // in the order of the stems
	weight float64
}

func newGroupMatcher(lists []postings, weights []float64, field int, c *clock) *groupMatcher {
	g := &groupMatcher{}
	for i, list := range lists {
		if w := newWordMatcher(list, field, c); w.at() != none {
			g.members = append(g.members, &member{wordMatcher: w, place: i, weight: weights[i]})
		}
	}
	heap.Init(g)
	return g
}

// Len, Less, Swap, Push and Pop make it a heap.
func (g *groupMatcher) Len() int           { return len(g.members) }
func (g *groupMatcher) Less(i, j int) bool { return g.members[i].number < g.members[j].number }
func (g *groupMatcher) Swap(i, j int)      { g.members[i], g.members[j] = g.members[j], g.members[i] }
func (g *groupMatcher) Push(x any)         { g.members = append(g.members, x.(*member)) }
func (g *groupMatcher) Pop() any {
	last := g.members[len(g.members)-1]
	g.members = g.members[:len(g.members)-1]
	return last
}

func (g *groupMatcher) at() uint64 {
	if len(g.members) == 0 {
		return none
	}
	return g.members[0].number
}

func (g *groupMatcher) seek(target uint64) uint64 {
	for g.at() < target {
		if g.members[0].seek(target) == none {
			heap.Pop(g)
		} else {
			heap.Fix(g, 0)
		}
	}
	return g.at()
}

// frequency adds up the stems' in their order, so that it is the same wherever it is computed.
func (g *groupMatcher) frequency() float64 {
	g.here = g.here[:0]
	g.gather(0, g.at())
	slices.SortFunc(g.here, func(a, b *member) int { return a.place - b.place })
	sum := 0.0
	for _, m := range g.here {
		sum += float64(m.weight * m.wordMatcher.frequency())
	}
	return sum
}

// gather finds the members at a number: in a heap they hang together from the root.
func (g *groupMatcher) gather(place int, number uint64) {
	if place >= len(g.members) || g.members[place].number != number {
		return
	}
	g.here = append(g.here, g.members[place])
	g.gather(2*place+1, number)
	g.gather(2*place+2, number)
}

// allMatcher matches every version.
type allMatcher struct {
	cursor
	number uint64
}

func newAllMatcher(t table) *allMatcher {
	m := &allMatcher{cursor: cursor{table: t}}
	m.seek(1)
	return m
}

func (m *allMatcher) at() uint64 { return m.number }

func (m *allMatcher) seek(target uint64) uint64 {
	if m.number < target {
		m.number = m.from(target)
	}
	return m.number
}

// notMatcher matches the versions that another does not.
type notMatcher struct {
	all   *allMatcher
	child matcher
	clock *clock
}

func newNotMatcher(t table, child matcher, c *clock) *notMatcher {
	m := &notMatcher{all: newAllMatcher(t), child: child, clock: c}
	m.settle()
	return m
}

func (m *notMatcher) at() uint64 { return m.all.at() }

func (m *notMatcher) seek(target uint64) uint64 {
	if m.all.at() < target {
		m.all.seek(target)
		m.settle()
	}
	return m.all.at()
}

func (m *notMatcher) settle() {
	for m.all.at() != none && m.child.seek(m.all.at()) == m.all.at() {
		if m.clock.tick() {
			m.all.number = none
			return
		}
		m.all.seek(m.all.at() + 1)
	}
}

// andMatcher matches what all its children do.
type andMatcher struct {
	children []matcher
	number   uint64
	clock    *clock
}

func newAndMatcher(children []matcher, c *clock) *andMatcher {
	m := &andMatcher{children: children, clock: c}
	m.seek(1)
	return m
}

func (m *andMatcher) at() uint64 { return m.number }

func (m *andMatcher) seek(target uint64) uint64 {
	if m.number < target {
		m.number = together(m.children, target, m.clock)
	}
	return m.number
}

// orMatcher matches what any of its children does.
type orMatcher struct {
	children []matcher
	number   uint64
}

func newOrMatcher(children []matcher) *orMatcher {
	m := &orMatcher{children: children}
	m.seek(1)
	return m
}

func (m *orMatcher) at() uint64 { return m.number }

func (m *orMatcher) seek(target uint64) uint64 {
	if m.number < target {
		m.number = none
		for _, child := range m.children {
			m.number = min(m.number, child.seek(target))
		}
	}
	return m.number
}

package index

import "context"

// matcher goes through the numbers of the versions that a part of a query matches, in order.
type matcher interface {
	// seek goes to the first from target on, never back, and tells it: none behind the last.
	seek(target uint64) uint64
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

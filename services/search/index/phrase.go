package index

import "slices"

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

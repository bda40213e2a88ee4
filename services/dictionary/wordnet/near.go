package wordnet

import "bytes"

const (
	maxNear = 40     // bytes of a word that is worth a guess
	budget  = 100000 // rows that one search may compute, about two milliseconds
)

// Near returns lemmas that are one or two edits (insert, delete, replace, swap
// neighbours) away from a word: the nearest first, then the commonest. Lemmas that
// are two edits away are found only if they begin with the same letter, which
// mistyped words nearly always do, and which saves nine tenths of the work.
//
// The sorted keys are walked as if they were a trie. One row of the edit-distance
// table belongs to each letter of a key; keys share the rows of their common
// prefix, and when no cell of a row is within reach, all keys with that prefix are
// stepped over. Work is bounded: a search that exceeds its budget returns what it
// has.
func (d *Dictionary) Near(word string, limit int) []Suggestion {
	key := []byte(Fold(word))
	limit = min(max(limit, 0), MaxSuggestions)
	if len(key) == 0 || len(key) > maxNear || limit == 0 {
		return nil
	}
	w := walk{d: d, word: key, best: top{limit: limit}}
	w.run(1, 0, d.lemmas)
	if len(key) > 3 && !w.best.full() { // within two edits of a short word is nearly everything short
		w.run(2, d.search(0, d.lemmas, key[:1]), d.search(0, d.lemmas, []byte{key[0] + 1}))
	}
	return w.best.linked(d)
}

// rowSize bounds a row: one cell per letter of the word, and one before.
const rowSize = maxNear + 1

// walk is one search. rows[n] is the row after n letters of the current key.
type walk struct {
	d     *Dictionary
	word  []byte
	reach uint8
	best  top
	rows  [maxNear + 4][rowSize]uint8
	lows  [maxNear + 4]uint8 // the least cell of each row
	spent int
}

// run adds the lemmas in [from, to) that are reach edits away; those that are
// nearer were added by a run before.
func (w *walk) run(reach uint8, from, to int) {
	w.reach = reach
	for j := range len(w.word) + 1 {
		w.rows[0][j] = uint8(j)
	}
	var last []byte
	known := 0 // rows of last that are computed
	for i := from; i < to && w.spent < budget; {
		key := w.d.key(i)
		n := min(known, common(last, key))
		last = key
		for n < len(key) && n-len(w.word) < int(reach) && w.step(key, n) {
			n++
		}
		known = n
		if n < len(key) {
			i = w.skip(i, key[:n+1])
			continue
		}
		// A key that is too short has no cell for the whole word.
		if n+int(reach) >= len(w.word) && w.rows[n][len(w.word)] == reach {
			w.best.add(Suggestion{Distance: int(reach), weight: w.d.weight(i), lemma: i})
		}
		i++
	}
}

// step computes the row after letter n of key. It reports whether any key that
// goes on from there can still be within reach.
func (w *walk) step(key []byte, n int) bool {
	w.spent++
	above, row := &w.rows[n], &w.rows[n+1]
	c, m, k := key[n], len(w.word), int(w.reach)
	from, to := max(0, n+1-k), min(m, n+1+k) // cells outside the band are beyond reach
	far := w.reach + 1
	low := far
	for j := from; j <= to; j++ {
		if j == 0 {
			row[0] = uint8(n + 1)
			low = min(low, row[0])
			continue
		}
		cell := above[j-1]
		if w.word[j-1] != c {
			cell++
		}
		if j < n+1+k {
			cell = min(cell, above[j]+1)
		}
		if j > from {
			cell = min(cell, row[j-1]+1)
		}
		if n > 0 && j > 1 && w.word[j-1] == key[n-1] && w.word[j-2] == c {
			cell = min(cell, w.swapped(n, j)+1)
		}
		cell = min(cell, far)
		row[j] = cell
		low = min(low, cell)
	}
	w.lows[n+1] = low
	// A swap reaches back over a row, so the row above counts too.
	return low <= w.reach || w.lows[n] < w.reach
}

// swapped is the cell two letters back on both sides, which is in that row's band
// because both moved together.
func (w *walk) swapped(n, j int) uint8 { return w.rows[n-1][j-2] }

// skip returns the next lemma that does not begin with prefix: keys are sorted, so
// it gallops ahead in growing steps and then searches what it jumped over.
func (w *walk) skip(from int, prefix []byte) int {
	low, step := from+1, 1
	for low+step < w.d.lemmas && bytes.HasPrefix(w.d.key(low+step), prefix) {
		low += step
		step *= 2
	}
	high := min(low+step, w.d.lemmas)
	for low < high {
		middle := int(uint(low+high) >> 1)
		if bytes.HasPrefix(w.d.key(middle), prefix) {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low
}

// common is the length of the longest common prefix.
func common(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

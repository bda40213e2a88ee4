package text

// Edits is how many letters must be inserted, deleted, replaced or swapped with their neighbour to make one word of the other, if that is
// not more than most, which is 2 at the most. No part of a word is edited twice (optimal string alignment).
func Edits(a, b string, most int) (int, bool) {
	most = min(most, 2)
	if a == b {
		return 0, most >= 0
	}
	if most <= 0 || len(a)-len(b) > 4*most || len(b)-len(a) > 4*most { // a letter has at most four bytes
		return 0, false
	}
	var bufferA, bufferB [64]rune
	x, y := runes(bufferA[:0], a), runes(bufferB[:0], b)
	for len(x) > 0 && len(y) > 0 && x[0] == y[0] {
		x, y = x[1:], y[1:]
	}
	for len(x) > 0 && len(y) > 0 && x[len(x)-1] == y[len(y)-1] {
		x, y = x[:len(x)-1], y[:len(y)-1]
	}
	if len(x) > len(y) {
		x, y = y, x
	}
	if len(y)-len(x) > most {
		return 0, false
	}
	if edits := aligned(x, y, most); edits <= most {
		return edits, true
	}
	return 0, false
}

func runes(buffer []rune, s string) []rune {
	for _, r := range s {
		buffer = append(buffer, r)
	}
	return buffer
}

// band is how many cells of a row can hold 2 or less: those within two of the diagonal.
const band = 5

// aligned fills the table of distances of all beginnings row by row, and of each row only the band around the diagonal: cell d of row i is
// for the first i letters of x and the first i+d-2 of y. It ends early when a whole row is over the bound.
func aligned(x, y []rune, most int) int {
	const far = 1 << 20
	var before, above, row [band]int // rows i-2, i-1 and i
	for d := range row {
		above[d], before[d] = far, far
		if d >= 2 {
			above[d] = d - 2 // nothing of x: insert all of y
		}
	}
	for i := 1; i <= len(x); i++ {
		least := far
		for d := range band {
			j := i + d - 2
			row[d] = far
			switch {
			case j < 0 || j > len(y):
				continue
			case j == 0:
				row[d] = i
			default:
				row[d] = above[d] // replace, or keep
				if x[i-1] != y[j-1] {
					row[d]++
				}
				if d > 0 {
					row[d] = min(row[d], row[d-1]+1) // insert
				}
				if d < band-1 {
					row[d] = min(row[d], above[d+1]+1) // delete
				}
				if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
					row[d] = min(row[d], before[d]+1) // swap
				}
			}
			least = min(least, row[d])
		}
		if least > most {
			return least
		}
		before, above = above, row
	}
	return above[len(y)-len(x)+2]
}

package config

// Nearest returns the one of names that differs least from name, by at most
// limit insertions, deletions, replacements or swaps of neighbours, or "".
func Nearest(name string, names []string, limit int) string {
	best, found := limit+1, ""
	for _, candidate := range names {
		if d := distance(name, candidate); d < best {
			best, found = d, candidate
		}
	}
	return found
}

func nearest(name string, params []Param, limit int) string {
	names := make([]string, len(params))
	for i, p := range params {
		names[i] = p.Name
	}
	return Nearest(name, names, limit)
}

// distance is the optimal string alignment distance.
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

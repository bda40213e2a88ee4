package query

// Bounds of a query.
const (
	Longest     = 1024 // bytes of its text, as it was written and in its canonical form
	MostScoring = 32   // nodes that score
	Deepest     = 16   // nodes above each other, and parentheses and NOTs around a word

	longestWord  = 255 // bytes
	longestValue = 64  // bytes of a label's value
	leastPrefix  = 2   // letters
	leastFuzzy   = 3   // letters
	mostEdits    = 2
)

package configapi

import (
	"strings"
	"unicode/utf8"

	udiff "github.com/aymanbagabas/go-udiff"
	"github.com/aymanbagabas/go-udiff/lcs"
)

// around is how many lines that are equal are shown around those that are not.
const around = 3

// unified is the difference of two texts, line by line, as diff -u writes it.
// It is right for any two, and as short as can be when they differ in a hundred
// lines or fewer: the search for more would take too long.
func unified(from, to, before, after string) (string, error) {
	numbers := map[string]rune{}
	a, offsets := number(before, numbers)
	b, _ := number(after, numbers)
	lines := splitLines(after)
	var edits []udiff.Edit
	for _, d := range lcs.DiffRunes(a, b) {
		edits = append(edits, udiff.Edit{Start: offsets[d.Start], End: offsets[d.End], New: strings.Join(lines[d.ReplStart:d.ReplEnd], "")})
	}
	return udiff.ToUnified(from, to, before, edits, around)
}

// number gives every different line a number, and returns where each begins and
// the last one ends.
func number(text string, known map[string]rune) (lines []rune, offsets []int) {
	offset := 0
	for _, line := range splitLines(text) {
		if _, ok := known[line]; !ok {
			known[line] = rune(len(known))
		}
		lines, offsets = append(lines, known[line]), append(offsets, offset)
		offset += len(line)
	}
	return lines, append(offsets, offset)
}

func splitLines(text string) []string {
	lines := strings.SplitAfter(text, "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

// isText tells whether a difference by lines means anything.
func isText(content []byte) bool {
	return utf8.Valid(content) && !strings.Contains(string(content), "\x00")
}

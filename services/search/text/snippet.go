package text

import (
	"slices"
	"sort"
	"strings"
	"unicode/utf8"
)

// Piece is a part of a text; Hit says that it is what was looked for.
type Piece struct {
	Text string `json:"text"`
	Hit  bool   `json:"hit,omitempty"`
}

// What stands where something was left out, as a piece of its own.
const (
	leftOutBefore = "… "
	leftOutAfter  = " …"
)

// Mark divides a whole text at its hits: the words for which match says so, and those that are part of a phrase. Phrases are given by the
// stems of their words, "" for any word.
func Mark(s string, match func(Token) bool, phrases [][]string) []Piece {
	s = strings.ToValidUTF8(s, "\uFFFD")
	return pieces(s, 0, len(s), hits(Tokens(s), match, phrases))
}

// Snippet is the part of a text, of about most bytes, with the most different hits, and of those the one with the most hits, and of those
// the first. It begins and ends with a word or the text, and tells where something was left out. Hits are those of Mark.
func Snippet(s string, match func(Token) bool, phrases [][]string, most int) []Piece {
	s = strings.ToValidUTF8(s, "\uFFFD")
	all := Words(s)
	found := hits(slices.DeleteFunc(slices.Clone(all), func(t Token) bool { return t.Stem == "" }), match, phrases)
	if len(s) <= most {
		return pieces(s, 0, len(s), found)
	}
	start, end := window(s, all, found, most)
	var parts []Piece
	if start > 0 {
		parts = append(parts, Piece{Text: leftOutBefore})
	}
	parts = append(parts, pieces(s, start, end, found)...)
	if end < len(s) {
		parts = append(parts, Piece{Text: leftOutAfter})
	}
	return parts
}

// hits are the indexed words that are shown as found, in their order.
func hits(tokens []Token, match func(Token) bool, phrases [][]string) []Token {
	hit := make([]bool, len(tokens))
	for i, token := range tokens {
		hit[i] = hit[i] || match(token)
		for _, phrase := range phrases {
			if last, begins := beginsPhrase(tokens[i:], phrase); begins {
				for k := i; k <= i+last; k++ {
					hit[k] = hit[k] || phrase[tokens[k].Position-token.Position] != ""
				}
			}
		}
	}
	var found []Token
	for i, token := range tokens {
		if hit[i] {
			found = append(found, token)
		}
	}
	return found
}

// beginsPhrase tells whether a phrase begins with the first word, and at which word it ends.
func beginsPhrase(tokens []Token, phrase []string) (last int, begins bool) {
	if len(phrase) == 0 || phrase[0] == "" || tokens[0].Stem != phrase[0] {
		return 0, false
	}
	for offset, stem := range phrase {
		if stem == "" {
			continue
		}
		for last < len(tokens) && tokens[last].Position < tokens[0].Position+offset {
			last++
		}
		if last == len(tokens) || tokens[last].Position != tokens[0].Position+offset || tokens[last].Stem != stem {
			return 0, false
		}
	}
	return last, true
}

// window is where the best part of a text begins and ends, the text being longer than that.
func window(s string, all, found []Token, most int) (start, end int) {
	first, last := best(found, most)
	spare := max(0, most-(last-first))
	// A third of what is left stands before the hits, which shows what they are about.
	start = beginning(all, first-spare/3, first)
	end = max(last, ending(s, all, start, start+most))
	if end == len(s) {
		start = beginning(all, end-most, start)
	}
	return start, end
}

// best are the bounds of the hits that are shown: a window moves over them all.
func best(found []Token, most int) (first, last int) {
	different := map[string]int{}
	var value [2]int
	i := 0
	for j, token := range found {
		different[token.Stem]++
		for ; i < j && token.End-found[i].Start > most; i++ {
			if different[found[i].Stem]--; different[found[i].Stem] == 0 {
				delete(different, found[i].Stem)
			}
		}
		if now := [2]int{len(different), j - i + 1}; slices.Compare(now[:], value[:]) > 0 {
			value, first, last = now, found[i].Start, token.End
		}
	}
	return first, last
}

// beginning is where the first word at or after a place begins, but limit at the most. All of the text before the first word belongs to it.
func beginning(all []Token, from, limit int) int {
	if from <= 0 {
		return 0
	}
	i := sort.Search(len(all), func(i int) bool { return all[i].Start >= from })
	if i == len(all) {
		return limit
	}
	return min(limit, all[i].Start)
}

// ending is where the last word between two places ends, or the second place when none does; a character stays whole.
func ending(s string, all []Token, start, until int) int {
	if until >= len(s) {
		return len(s)
	}
	i := sort.Search(len(all), func(i int) bool { return all[i].End > until })
	if i > 0 && all[i-1].Start >= start {
		return all[i-1].End
	}
	for until > start && !utf8.RuneStart(s[until]) {
		until--
	}
	return until
}

// pieces divides a part of a text at its hits.
func pieces(s string, start, end int, found []Token) []Piece {
	all := []Piece{}
	for _, hit := range found {
		if hit.Start < start || hit.End > end {
			continue
		}
		if hit.Start > start {
			all = append(all, Piece{Text: s[start:hit.Start]})
		}
		all = append(all, Piece{Text: s[hit.Start:hit.End], Hit: true})
		start = hit.End
	}
	if start < end {
		all = append(all, Piece{Text: s[start:end]})
	}
	return all
}

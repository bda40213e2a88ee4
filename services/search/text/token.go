package text

import (
	"strings"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/words"
)

// longest is how many bytes a word may have, as in Lucene, which counts UTF-16 units: a longer one is cut into several.
const longest = 255

// Token is a word of a text. Its strings may share the text's memory: clone those that outlive it.
type Token struct {
	Surface  string // lower-cased, without a possessive
	Stem     string // "" when the word is too common to be indexed
	Position int    // of the word among all of its text, from 0
	Start    int    // offset of its first byte in the text
	End      int    // offset behind its last byte
}

// Tokens are the words of a text that are indexed, those that are not too common.
func Tokens(s string) []Token { return Append(nil, s) }

// Append appends the words of a text that are indexed.
func Append(tokens []Token, s string) []Token { return scan(tokens, s, false) }

// Words are all words of a text, with those that are too common to be indexed.
func Words(s string) []Token { return scan(nil, s, true) }

func scan(tokens []Token, s string, common bool) []Token {
	s = blanked(s)
	if tokens == nil && s != "" {
		tokens = make([]Token, 0, len(s)/6+1) // an English word takes about six bytes, with its space
	}
	position := 0
	var buffer [64]rune
	for each := words.FromString(s); each.Next(); {
		start, end := each.Start(), each.End()
		for start < end {
			until := cut(s, start, end)
			if begins, is := wordIn(s[start:until]); is {
				word := s[start+begins : until]
				token := Token{Surface: Surface(word), Position: position, Start: start + begins, End: until}
				stop := Stop(token.Surface)
				if !stop {
					token.Stem = stem(token.Surface, buffer[:0])
				}
				if !stop || common {
					tokens = append(tokens, token)
				}
				position++
			}
			start = until
		}
	}
	return tokens
}

// blanked has a space for every byte that is not UTF-8: it is no part of a word, and offsets stay.
func blanked(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && size == 1 {
			b.WriteByte(' ')
		} else {
			b.WriteString(s[:size])
		}
		s = s[size:]
	}
	return b.String()
}

// cut is where the first part of a word that may be too long ends: between two characters.
func cut(s string, start, end int) int {
	if end-start <= longest {
		return end
	}
	until := start + longest
	for until > start+longest-utf8.UTFMax && !utf8.RuneStart(s[until]) {
		until--
	}
	return until
}

package text

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// isWord tells words from the spaces and the punctuation between them: a word has a letter, a number or an emoji.
func isWord(segment string) bool {
	if c := segment[0]; c < utf8.RuneSelf {
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' {
			return true
		}
		if len(segment) == 1 {
			return false
		}
	}
	var before rune
	for _, r := range segment {
		if unicode.IsLetter(r) || unicode.IsNumber(r) || isEmoji(before, r) {
			return true
		}
		before = r
	}
	return false
}

// isEmoji knows the pictures of the supplementary plane, and older symbols where the variation selector makes them pictures.
func isEmoji(before, r rune) bool {
	const pictures, asPicture = 0x1F000, 0xFE0F
	return r >= pictures && unicode.IsSymbol(r) || r == asPicture && unicode.IsSymbol(before)
}

// Surface is the form in which a word is looked up as it was written: lower-cased, without a possessive.
func Surface(word string) string {
	lower, ascii := true, true
	for i := range len(word) {
		c := word[i]
		lower = lower && (c < 'A' || c > 'Z')
		ascii = ascii && c < utf8.RuneSelf
	}
	switch {
	case !ascii:
		// Lower-casing makes what is not UTF-8 valid, too.
		word = norm.NFC.String(strings.ToLower(strings.ToValidUTF8(word, "\uFFFD")))
	case !lower:
		word = strings.ToLower(word)
	}
	return withoutPossessive(word)
}

// withoutPossessive knows the apostrophes that Lucene knows: of ASCII, of typography, and the wide one.
func withoutPossessive(surface string) string {
	for {
		rest, is := strings.CutSuffix(surface, "s")
		if !is {
			return surface
		}
		short := rest
		for _, apostrophe := range [...]string{"'", "\u2019", "\uFF07"} {
			short = strings.TrimSuffix(short, apostrophe)
			if len(short) < len(rest) {
				break
			}
		}
		if len(short) == len(rest) || short == "" {
			return surface
		}
		surface = short
	}
}

// Stop tells whether a surface form is too common to be indexed.
func Stop(surface string) bool {
	switch surface {
	case "a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "into", "is", "it", "no", "not", "of", "on", "or",
		"such", "that", "the", "their", "then", "there", "these", "they", "this", "to", "was", "will", "with":
		return true
	}
	return false
}

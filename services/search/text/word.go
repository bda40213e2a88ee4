package text

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// wordIn tells words from the spaces and the punctuation between them: a word has a letter, a digit or an emoji. A fraction or a superscript
// is none, as in Lucene. It begins at the offset: what joins letters may also join them to a space before.
func wordIn(segment string) (begins int, is bool) {
	if c := segment[0]; c < utf8.RuneSelf {
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' {
			return 0, true
		}
		if len(segment) == 1 {
			return 0, false
		}
	}
	begins = -1
	var before rune
	for i, r := range segment {
		letter := unicode.IsLetter(r) || unicode.In(r, unicode.Nd, unicode.Nl)
		if begins < 0 && (letter || unicode.IsSymbol(r) || unicode.Is(unicode.Pc, r)) {
			begins = i
		}
		if letter || isEmoji(before, r) {
			return begins, true
		}
		before = r
	}
	return 0, false
}

// isEmoji knows the pictures of the supplementary plane, and older symbols where the variation selector makes them pictures.
func isEmoji(before, r rune) bool {
	const pictures, asPicture = 0x1F000, 0xFE0F
	return r >= pictures && unicode.Is(unicode.So, r) || r == asPicture && before >= utf8.RuneSelf && unicode.IsSymbol(before)
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
		word = norm.NFC.String(strings.ToLower(strings.ToValidUTF8(word, "")))
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

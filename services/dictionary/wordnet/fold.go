package wordnet

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// letters are those that have no decomposition into a letter and an accent, and
// punctuation that keyboards and editors vary.
var letters = strings.NewReplacer(
	"ß", "ss", "æ", "ae", "œ", "oe", "ø", "o", "ł", "l", "đ", "d", "ð", "d", "þ", "th", "ı", "i", "ħ", "h",
	"’", "'", "‘", "'", "ʼ", "'", "`", "'", "‐", "-", "‑", "-", "‒", "-", "–", "-", "—", "-", "−", "-", "⁄", "/",
)

// Fold turns what somebody typed into a key: accents and case are dropped, and
// words are joined by one "_" each. It does not ask whether the word exists.
// Folding a key changes nothing.
func Fold(s string) string {
	// One round may uncover work for the next: Ǣ is Æ with a macron, and small İ
	// is i with a dot. Two rounds do for nearly everything.
	for range maxRounds {
		if folded(s) {
			return s
		}
		again := round(s)
		if again == s {
			return s
		}
		s = again
	}
	return s
}

const maxRounds = 8

func round(s string) string {
	var b strings.Builder
	gap := false
	for _, r := range norm.NFKD.String(letters.Replace(strings.ToLower(s))) {
		switch {
		case unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Cf, r):
			continue
		case r == '_' || r == '+' || unicode.IsSpace(r):
			gap = b.Len() > 0
			continue
		}
		if gap {
			b.WriteByte('_')
			gap = false
		}
		b.WriteRune(r)
	}
	return b.String()
}

// folded tells quickly that a string is its own key, as almost all are.
func folded(s string) bool {
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '.', c == '\'', c == '/':
		case c == '_' && i > 0 && i < len(s)-1 && s[i-1] != '_':
		default:
			return false
		}
	}
	return true
}

// spoken is the reverse for the eye: spaces between words.
func spoken(word []byte) string { return strings.ReplaceAll(string(word), "_", " ") }

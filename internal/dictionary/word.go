package dictionary

import (
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/flotilla-dev/flotilla/internal/problem"
)

// maxWord is far longer than any word.
const maxWord = 128

// Invalid is what cannot be a word.
var Invalid = problem.New(http.StatusBadRequest, "word-invalid", "a word has 1 to 128 bytes of UTF-8 without control characters")

// Spell returns a word as the dictionary spells it in its URLs, before it is escaped. The
// error is Invalid.
func Spell(word string) (string, error) {
	if word == "" || len(word) > maxWord || !utf8.ValidString(word) || strings.ContainsFunc(word, control) {
		return "", Invalid
	}
	return strings.ReplaceAll(strings.ToLower(word), " ", "_"), nil
}

func control(r rune) bool { return r < ' ' || r == 0x7f }

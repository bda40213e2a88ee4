package dictionary

import (
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/flotilla-dev/flotilla/internal/problem"
)

// maxWord is far longer than any word.
const maxWord = 128

// Invalid is what cannot be a word.
var Invalid = problem.New(http.StatusBadRequest, "word-invalid", "a word has 1 to 128 bytes of UTF-8 without control characters")

// Spell reads a word from the path of a URL, escaped, and returns it as the
// dictionary spells its URLs, unescaped. The error is Invalid.
func Spell(escaped string) (string, error) {
	word, err := url.PathUnescape(escaped)
	if err != nil || word == "" || len(word) > maxWord || !utf8.ValidString(word) || strings.ContainsFunc(word, control) {
		return "", Invalid
	}
	return strings.ReplaceAll(strings.ToLower(word), " ", "_"), nil
}

func control(r rune) bool { return r < ' ' || r == 0x7f }

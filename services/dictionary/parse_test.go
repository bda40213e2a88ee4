package dictionary

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func FuzzParseWord(f *testing.F) {
	for _, path := range []string{"dog", "tcp%2Fip", "tcp/ip", "..", "%2e%2e", "a%00", "%ff", "caf%C3%A9", "%", "a/../b", strings.Repeat("a", 200), "dog/", "//"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, escaped string) {
		word, err := parseWord(escaped)
		if err != nil {
			return
		}
		if len(word) > maxWord || !utf8.ValidString(word) || strings.ContainsFunc(word, unicode.IsControl) || strings.TrimSpace(word) == "" {
			t.Errorf("%q gave %q", escaped, word)
		}
		for part := range strings.SplitSeq(word, "/") {
			if part == ".." || part == "." {
				t.Errorf("%q gave %q, which leaves its folder", escaped, word)
			}
		}
	})
}

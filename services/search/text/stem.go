package text

import (
	"unicode/utf8"

	porterstemmer "github.com/blevesearch/go-porterstemmer"
)

// Stem is the form under which a word is indexed, of its surface form.
func Stem(surface string) string {
	var buffer [64]rune
	return stem(surface, buffer[:0])
}

// whole are the words that are nothing but an ending, where the library makes something else of them than Porter's program and Lucene do:
// it takes the ending for missing when no letter is before it.
var whole = map[string]string{"eed": "eed", "eeds": "eed", "ies": "i", "sses": "ss"}

// stem works in a buffer. Most stems are beginnings of their words, and share their memory.
func stem(surface string, buffer []rune) string {
	if stemmed, is := whole[surface]; is {
		return stemmed
	}
	for _, r := range surface {
		buffer = append(buffer, r)
	}
	stemmed := porterstemmer.StemWithoutLowerCasing(buffer)
	at := 0
	for _, r := range stemmed {
		got, size := utf8.DecodeRuneInString(surface[at:])
		if got != r {
			return string(stemmed)
		}
		at += size
	}
	return surface[:at]
}

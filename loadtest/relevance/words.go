package relevance

import (
	"strings"
	"unicode"
)

// The bounds of the query language.
const (
	maxWords = 32
	maxQuery = 1 << 10 // bytes
)

// Words turns any text into a query of its words, of which any will do. What means something in the query language is taken out or
// stands in quotes. A word that is there twice counts twice, as in Lucene, unless the query would be too long; cut says that words were left out.
func Words(text string) (query string, cut bool) {
	words := wordsOf(text)
	if len(words) > maxWords {
		words = distinct(words)
		cut = true
	}
	var b strings.Builder
	for i, w := range words {
		if i == maxWords || b.Len()+1+len(w) > maxQuery {
			return b.String(), true
		}
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(w)
	}
	return b.String(), cut
}

// wordsOf cuts a text where Lucene's standard tokenizer does, nearly: letters, digits and low lines belong together, and so does what stands
// between two letters or two digits of one word: don't, e.g, 3.5, 1,000.
func wordsOf(text string) []string {
	runes := []rune(strings.ToLower(text))
	var words []string
	for i := 0; i < len(runes); {
		j := i
		for j < len(runes) && (inWord(runes[j]) || joins(runes, j)) {
			j++
		}
		if j > i {
			words = append(words, quoted(string(runes[i:j])))
			i = j
			continue
		}
		i++
	}
	return words
}

func inWord(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) || r == '_'
}

func joins(runes []rune, i int) bool {
	if i == 0 || i+1 == len(runes) {
		return false
	}
	both := func(is func(rune) bool) bool { return is(runes[i-1]) && is(runes[i+1]) }
	switch runes[i] {
	case '.', '\'', '’':
		return both(unicode.IsLetter) || both(unicode.IsDigit)
	case ',':
		return both(unicode.IsDigit)
	}
	return false
}

// quoted puts a word in quotes that would mean something else without, or is cut by the query language.
func quoted(word string) string {
	if strings.ContainsAny(word, ".,'’_") || word == "and" || word == "or" || word == "not" {
		return `"` + word + `"`
	}
	return word
}

func distinct(words []string) []string {
	seen := map[string]bool{}
	var kept []string
	for _, w := range words {
		if !seen[w] {
			seen[w] = true
			kept = append(kept, w)
		}
	}
	return kept
}

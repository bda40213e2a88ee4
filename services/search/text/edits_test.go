package text_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/flotilla-dev/flotilla/services/search/text"
)

func TestEditsAreCounted(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		a, b string
		most int
		want int // -1: too many
	}{
		{"dog", "cat", 2, -1}, {"", "abc", 2, -1}, {"abcdef", "abc", 2, -1}, {"ca", "abc", 2, -1}, {"ab", "cd", 1, -1}, {"dog", "dig", 0, -1},
		{"dog", "dog", -1, -1}, {"abcd", "badc", 1, -1}, {"abc", "xyz", 9, -1},
		{"", "", 2, 0}, {"dog", "dog", 0, 0}, {"", "a", 1, 1}, {"ab", "", 2, 2}, {"b", "abc", 2, 2}, {"dog", "dogs", 1, 1}, {"dog", "dg", 1, 1}, {"dog", "dig", 1, 1},
		{"recieve", "receive", 1, 1}, {"recieve", "relieve", 1, 1}, {"abcd", "badc", 2, 2}, {"teh", "the", 2, 1}, {"é", "e", 1, 1}, {"東京", "京東", 1, 1},
		{"café", "cafe", 1, 1}, {"a", "😀", 1, 1},
	} {
		for _, pair := range [][2]string{{test.a, test.b}, {test.b, test.a}} {
			got, near := text.Edits(pair[0], pair[1], test.most)
			if near != (test.want >= 0) || near && got != test.want {
				t.Errorf("%q and %q, at most %d: %d, %v, want %d", pair[0], pair[1], test.most, got, near, test.want)
			}
		}
	}
}

// table is the whole table of optimal string alignment, as the textbooks have it.
func table(a, b []rune) int {
	d := make([][]int, len(a)+1)
	for i := range d {
		d[i] = make([]int, len(b)+1)
		d[i][0] = i
	}
	for j := range d[0] {
		d[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d[i][j] = min(d[i-1][j]+1, d[i][j-1]+1, d[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(a)][len(b)]
}

// edited is a word that takes up to four edits, or a few less.
func edited(t *rapid.T, word, letters []rune) string {
	word = slices.Clone(word)
	for range rapid.IntRange(0, 4).Draw(t, "edits") {
		at, letter := rapid.IntRange(0, len(word)).Draw(t, "at"), rapid.SampledFrom(letters).Draw(t, "letter")
		switch kind := rapid.IntRange(0, 3).Draw(t, "kind"); {
		case kind == 0 || at == len(word):
			word = slices.Insert(word, at, letter)
		case kind == 1:
			word = slices.Delete(word, at, at+1)
		case kind == 2 || at+1 == len(word):
			word[at] = letter
		default:
			word[at], word[at+1] = word[at+1], word[at]
		}
	}
	return string(word)
}

func TestEditsAreThoseOfTheWholeTable(t *testing.T) {
	t.Parallel()
	letters := []rune("abé京")
	rapid.Check(t, func(t *rapid.T) {
		a, most := rapid.StringOfN(rapid.RuneFrom(letters), 0, 9, -1).Draw(t, "a"), rapid.IntRange(0, 2).Draw(t, "most")
		b := edited(t, []rune(a), letters)
		want := table([]rune(a), []rune(b))
		got, near := text.Edits(a, b, most)
		if near != (want <= most) || near && got != want {
			t.Fatalf("%d, %v, want %d", got, near, want)
		}
	})
}

func BenchmarkEdits(b *testing.B) {
	words := []string{"receive", "relieve", "believe", "deceive", "recipe", "retrieve", "perceive", "river", "archive", "recieves"}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		text.Edits("recieve", words[i%len(words)], 2)
		i++
	}
}

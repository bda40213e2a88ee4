package text_test

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/flotilla-dev/flotilla/services/search/text"
)

// marked writes hits in brackets.
func marked(pieces []text.Piece) string {
	var b strings.Builder
	for _, piece := range pieces {
		if piece.Hit {
			b.WriteString("[" + piece.Text + "]")
		} else {
			b.WriteString(piece.Text)
		}
	}
	return b.String()
}

// stems matches words by their stem.
func stems(all ...string) func(text.Token) bool {
	return func(token text.Token) bool { return slices.Contains(all, token.Stem) }
}

func nothing(text.Token) bool { return false }

func TestTheBestPartOfATextIsShown(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		s       string
		match   func(text.Token) bool
		phrases [][]string
		most    int
		want    string
	}{
		"nothing":                 {"", stems("dog"), nil, 20, ""},
		"no hit":                  {"one two three four five", stems("dog"), nil, 13, "one two three …"},
		"no word ends in time":    {"abcdefghijklmnop qrs", nothing, nil, 5, "abcde …"},
		"a character stays whole": {"ééééé ééé", nothing, nil, 5, "éé …"},
		"no room":                 {"one dog", stems("dog"), nil, 0, "… [dog]"},
		"no room, no hit":         {"one dog", nothing, nil, 0, " …"},
		"all of it":               {"Dogs: the dog's bowl.", stems("dog"), nil, 100, "[Dogs]: the [dog's] bowl."},
		"the end":                 {"one two three four five six dogs.", stems("dog"), nil, 20, "… four five six [dogs]."},
		"the middle":              {"one two three four dog five six seven eight", stems("dog"), nil, 17, "… [dog] five six …"},
		"more different words win": {"dog dog dog, and then much later in this text a dog with a cat at home", stems("dog", "cat"), nil, 22,
			"… a [dog] with a [cat] at …"},
		"more hits win":  {"dog, and then much later in this text dog dog dog one two", stems("dog"), nil, 20, "… [dog] [dog] [dog] one two"},
		"the first wins": {"one dog two three four five six dog seven", stems("dog"), nil, 12, "… [dog] two …"},
		"a phrase": {"hot the dog, the hot cat and the hot dog and dogs, hot", nothing, [][]string{{"hot", "dog"}}, 100,
			"hot the dog, the hot cat and the [hot] [dog] and dogs, hot"},
		"a phrase with common words": {"state of the art; state the art; state of an old art", nothing, [][]string{{"state", "", "", "art"}}, 100,
			"[state] of the [art]; state the art; state of an old art"},
		"any word in a phrase":        {"state x y art", nothing, [][]string{{"state", "", "", "art"}}, 100, "[state] x y [art]"},
		"phrases overlap":             {"hot hot dog", nothing, [][]string{{"hot", "dog"}, {"hot", "hot"}}, 100, "[hot] [hot] [dog]"},
		"an empty phrase":             {"hot dog", nothing, [][]string{{}, {""}}, 100, "hot dog"},
		"no UTF-8":                    {"a\xff dog \xc3", stems("dog"), nil, 100, "a\uFFFD [dog] \uFFFD"},
		"no spaces":                   {"東京都庁舎", stems("庁"), nil, 9, "… 都[庁]舎"},
		"common words are never hits": {"the the the", func(text.Token) bool { return true }, nil, 100, "the the the"},
	} {
		if got := marked(text.Snippet(test.s, test.match, test.phrases, test.most)); got != test.want {
			t.Errorf("%s\n got %s\nwant %s", name, got, test.want)
		}
	}
}

func TestAWholeTextIsMarked(t *testing.T) {
	t.Parallel()
	got := text.Mark("dog, domestic dog, Canis familiaris", stems("dog"), [][]string{{"cani", "familiari"}})
	if want := "[dog], domestic [dog], [Canis] [familiaris]"; marked(got) != want {
		t.Errorf("got %s, want %s", marked(got), want)
	}
	if got := text.Mark("", nothing, nil); got == nil || len(got) != 0 {
		t.Errorf("of nothing: %#v; want pieces that are written as []", got)
	}
}

func TestASnippetIsAlwaysAPartOfItsText(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s, most := anyText().Draw(t, "text"), rapid.IntRange(0, 300).Draw(t, "most")
		wanted := rapid.SliceOfN(rapid.SampledFrom([]string{"dog", "run", "東", "é", "1"}), 0, 3).Draw(t, "words")
		phrase := rapid.SliceOfN(rapid.SampledFrom([]string{"dog", "run", ""}), 0, 3).Draw(t, "phrase")
		valid := strings.ToValidUTF8(s, "\uFFFD")
		var whole strings.Builder
		for _, piece := range text.Mark(s, stems(wanted...), [][]string{phrase}) {
			whole.WriteString(piece.Text)
		}
		if whole.String() != valid {
			t.Fatalf("marked as %q", whole.String())
		}
		snippet := text.Snippet(s, stems(wanted...), [][]string{phrase}, most)
		if len(snippet) > 0 && snippet[0].Text == "… " {
			snippet = snippet[1:]
		}
		if len(snippet) > 0 && snippet[len(snippet)-1].Text == " …" {
			snippet = snippet[:len(snippet)-1]
		}
		var part strings.Builder
		hit := false
		for _, piece := range snippet {
			if piece.Text == "" || !utf8.ValidString(piece.Text) {
				t.Fatalf("a piece is %q", piece.Text)
			}
			hit = hit || piece.Hit
			part.WriteString(piece.Text)
		}
		if !strings.Contains(valid, part.String()) {
			t.Fatalf("%q is not in %q", part.String(), valid)
		}
		// One hit is shown, even if it takes more than there is room for.
		if part.Len() > max(most, 255) {
			t.Fatalf("%d bytes, at most about %d", part.Len(), most)
		}
		if some := slices.ContainsFunc(text.Mark(s, stems(wanted...), [][]string{phrase}), func(p text.Piece) bool { return p.Hit }); some != hit {
			t.Fatalf("hits in the text: %v, in the snippet: %v", some, hit)
		}
	})
}

func BenchmarkSnippet(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		text.Snippet(prose, stems("dog", "wolf"), [][]string{{"mani", "breed"}}, 200)
	}
}

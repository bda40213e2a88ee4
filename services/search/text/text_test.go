package text_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/flotilla-dev/flotilla/services/search/text"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shown writes tokens as surface/stem@position, those that are too common without a stem.
func shown(tokens []text.Token) string {
	var all []string
	for _, token := range tokens {
		all = append(all, fmt.Sprintf("%s/%s@%d", token.Surface, token.Stem, token.Position))
	}
	return strings.Join(all, " ")
}

func TestTextBecomesWords(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"":                        "",
		" \t\n.,;!? -- … “”":      "",
		"\xff\xfe":                "",
		"0\xcc 00\xee x":          "0/0@0 00/00@1 x/x@2",
		"00\xee ":                 "00/00@0",
		"a\xffb":                  "b/b@1",
		"The Dogs":                "dogs/dog@1",
		"the quick of the fox":    "quick/quick@1 fox/fox@4",
		"The dog's bowl":          "dog/dog@1 bowl/bowl@2",
		"the dog’s, the DOG＇S":    "dog/dog@1 dog/dog@3",
		"James' cats'":            "james/jame@0 cats/cat@1",
		"a's's":                   "",
		"who's there's":           "who/who@0",
		"don't can't":             "don't/don't@0 can't/can't@1",
		"state-of-the-art e-mail": "state/state@0 art/art@3 e/e@4 mail/mail@5",
		"U.S.A. 3.14 1,000 1990s": "u.s.a/u.s.a@0 3.14/3.14@1 1,000/1,000@2 1990s/1990@3",
		"snake_case C++ C#":       "snake_case/snake_cas@0 c/c@1 c/c@2",
		"東京 タワー ひら 한국어":           "東/東@0 京/京@1 タワー/タワー@2 ひ/ひ@3 ら/ら@4 한국어/한국어@5",
		"I ❤️ 👍🏽 👨‍👩‍👧 🇩🇪🇫🇷 ♥": "i/i@0 ❤️/❤️@1 👍🏽/👍🏽@2 👨‍👩‍👧/👨‍👩‍👧@3 🇩🇪/🇩🇪@4 🇫🇷/🇫🇷@5",
		"CAFE\u0301 caf\u00e9s": "café/café@0 cafés/café@1",
		"ÄRGER Straße ΣΊΣΥΦΟΣ":  "ärger/ärger@0 straße/straße@1 σίσυφοσ/σίσυφοσ@2",
		" \u200d👍 \U0001f3fd ©": "👍/👍@0",
		"\u0301x":               "x/x@0",
		"2½ km² Ⅷ":              "2/2@0 km/km@1 ⅷ/ⅷ@2",
	} {
		if got := shown(text.Tokens(s)); got != want {
			t.Errorf("%q\n got %s\nwant %s", s, got, want)
		}
	}
}

func TestCommonWordsAreToldWhereAllAreAsked(t *testing.T) {
	t.Parallel()
	if got, want := shown(text.Words("The State of the Art.")), "the/@0 state/state@1 of/@2 the/@3 art/art@4"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	// Lucene's list: EnglishAnalyzer.ENGLISH_STOP_WORDS_SET.
	all := strings.Fields(`a an and are as at be but by for if in into is it no not of on or such that the their then there these they this
		to was will with`)
	for _, word := range all {
		if !text.Stop(word) {
			t.Errorf("%s is in Lucene's list", word)
		}
	}
	for _, word := range []string{"", "dog", "has", "from", "were", "The", "you"} {
		if text.Stop(word) {
			t.Errorf("%q is not", word)
		}
	}
	if len(all) != 33 {
		t.Errorf("%d words", len(all))
	}
}

// Pairs of the vocabulary that is published with the algorithm, at least one for each rule of its steps; and, behind the line, what its
// author's program and Lucene do otherwise than the paper: short words stay, logi becomes log, and bli ble.
const published = `
caresses caress, ponies poni, ties ti, caress caress, cats cat, feed feed, agreed agre, plastered plaster, bled bled, sing sing,
troubled troubl, sized size, hopping hop, tanned tan, falling fall, hissing hiss, failing fail, filing file, happy happi, sky sky,
conditional condit, rational ration, operator oper, hopefulness hope, callousness callous, electrical electr, hopeful hope, goodness good,
revival reviv, allowance allow, inference infer, defensible defens, adjustment adjust, dependent depend, adoption adopt, communism commun,
effective effect, rate rate, cease ceas, controll control, roll roll, running run, organization organ, university univers, yes ye,
house hous, houses hous, dogs dog,
---, as as, is is, ay ay, analogy analog, apologies apolog, archaeology archaeolog, assembly assembl, audibly audibl, possibly possibl,
---, eed eed, eeds eed, ies i, sses ss, ss ss, ed ed, ing ing, eeing ee, sing sing, us us, bli bli, logi logi`

func TestWordsAreStemmedAsPublished(t *testing.T) {
	t.Parallel()
	pairs := strings.Split(strings.ReplaceAll(published, "\n", " "), ",")
	for _, pair := range pairs {
		fields := strings.Fields(pair)
		if fields[0] == "---" {
			continue
		}
		if got := text.Stem(fields[0]); got != fields[1] {
			t.Errorf("%s became %s, want %s", fields[0], got, fields[1])
		}
	}
	if len(pairs) < 50 {
		t.Errorf("only %d pairs", len(pairs))
	}
}

// anyText is what people and programs write, and what neither should.
func anyText() *rapid.Generator[string] {
	parts := []string{" ", "  ", ".", "-", "'", "’s", "'S", "s", "_", "the", "Of", "dog", "DOGS", "running", "e", "é", "e\u0301", "\u0301", "ß", "İ", "Å", "\u212b",
		"K", "東", "京", "タ", "ー", "한", "\u1112\u1161\u11ab", "👍", "🏽", "\u200d", "\ufe0f", "🇩", "1", "3.5", ",", ":", `"`, "א", "\u00ad", "\ufeff", "\x00", "\xff",
		"ำ", "กก", "\u0958", "Ⱥ", "·", "\u0387", "²", "\r", "\n", strings.Repeat("x", 200)}
	return rapid.OneOf(
		rapid.Map(rapid.SliceOfN(rapid.SampledFrom(parts), 0, 40), func(all []string) string { return strings.Join(all, "") }),
		rapid.String(),
	)
}

// holds checks what every token keeps, whatever the text.
func holds(t interface{ Fatalf(string, ...any) }, s string) {
	all := text.Words(s)
	position, end := -1, 0
	for _, token := range all {
		switch {
		case token.Position != position+1 || token.Start < end || token.End <= token.Start || token.End > len(s):
			t.Fatalf("%q: out of order: %+v", s, token)
		case !utf8.ValidString(token.Surface) || token.Surface == "" || token.End-token.Start > 255:
			t.Fatalf("%q: %+v", s, token)
		case token.Surface != text.Surface(s[token.Start:token.End]) || text.Stop(token.Surface) != (token.Stem == ""):
			t.Fatalf("%q: not what its parts say: %+v", s, token)
		case token.Stem != "" && token.Stem != text.Stem(token.Surface):
			t.Fatalf("%q: the stem is not that of the surface: %+v", s, token)
		}
		// A word of a query is looked up as it was written, and then written again: a surface form must be its own.
		if again := text.Words(token.Surface); len(token.Surface) < 255 && token.End-token.Start < 255 && (len(again) != 1 || again[0].Surface != token.Surface) {
			t.Fatalf("%q: %q becomes %+v", s, token.Surface, again)
		}
		position, end = token.Position, token.End
	}
	indexed := slices.DeleteFunc(all, func(token text.Token) bool { return token.Stem == "" })
	if got := text.Tokens(s); !slices.Equal(got, indexed) {
		t.Fatalf("%q: indexed are %+v, of %+v", s, got, indexed)
	}
	before := []text.Token{{Surface: "before"}}
	if got := text.Append(before, s); got[0].Surface != "before" || !slices.Equal(got[1:], indexed) {
		t.Fatalf("%q: appended were %+v", s, got)
	}
}

func TestAnyTextIsTakenApart(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) { holds(t, anyText().Draw(t, "text")) })
}

func FuzzTokens(f *testing.F) {
	for _, s := range []string{"The dog's bowl", "state-of-the-art", "東京 👍🏽", "e\u0301\xff", "a's's", strings.Repeat("é", 200)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { holds(t, s) })
}

func TestAWordWithoutAnEndIsCut(t *testing.T) {
	t.Parallel()
	tokens := text.Tokens(strings.Repeat("é", 64<<9)) // 64 KiB
	if len(tokens) != 64<<10/254+1 || tokens[0].End != 254 || tokens[1].Position != 1 {
		t.Errorf("%d tokens, the first ends at %d", len(tokens), tokens[0].End)
	}
}

// The text of a gloss, repeated.
var prose = strings.Repeat("a member of the genus Canis (probably descended from the common wolf) that has been domesticated by man since "+
	"prehistoric times; occurs in many breeds; \"the dog barked all night\" ", 10)

func BenchmarkTokens(b *testing.B) {
	b.SetBytes(int64(len(prose)))
	b.ReportAllocs()
	for b.Loop() {
		if len(text.Tokens(prose)) == 0 {
			b.Fatal("no words")
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	b.SetBytes(int64(len(prose)))
	b.ReportAllocs()
	var tokens []text.Token
	for b.Loop() {
		tokens = text.Append(tokens[:0], prose)
	}
}

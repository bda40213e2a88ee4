package wordnet_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/services/dictionary/wordnet"
	"github.com/flotilla-dev/flotilla/services/dictionary/wordnet/wordnettest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestResolveFindsWhatPeopleType(t *testing.T) {
	t.Parallel()
	d := wordnettest.Load(t)
	for typed, want := range map[string]string{
		"dog": "dog", "Dog": "dog", "DOG": "dog", " dog ": "dog", "hot dog": "hot_dog", "Hot_Dog": "hot_dog",
		"hot  dog": "hot_dog", "hot+dog": "hot_dog", "prime-minister": "prime_minister", "café": "cafe", "CAFÉ": "cafe",
		"naïve": "naive", "señor": "senor", "Ångström": "angstrom", "cafe\u0301": "cafe", "TCP/IP": "tcp/ip", "9/11": "9/11",
		"on/off switch": "on/off_switch", "o’clock": "o'clock", "ph.d.": "ph.d.", "phd": "phd",
		"Canis familiaris": "canis_familiaris", "ｄｏｇ": "dog", "fi\u00adnal": "final", "fly\u2010by": "fly-by",
	} {
		if m := d.Resolve(typed); m.Key != want || !m.Lemma {
			t.Errorf("%q: %+v, want the lemma %q", typed, m, want)
		}
	}
}

func TestInflectedFormsLeadToTheirLemmas(t *testing.T) {
	t.Parallel()
	d := wordnettest.Load(t)
	for form, want := range map[string]string{
		"dogs": "dog:noun dog:verb", "ran": "run:verb", "mice": "mouse:noun", "axes": "ax:noun axis:noun ax:verb axe:verb",
		"boxesful": "boxful:noun", "women": "woman:noun", "churches": "church:noun church:verb", "attorneys general": "attorney_general:noun",
		"hot dogs": "hot_dog:noun", "ran out": "run_out:verb", "happiest": "happy:adjective", "leaves": "leaf:noun leave:noun leave:verb",
		"mothers-in-law": "mother-in-law:noun", "teeth": "tooth:noun", "Running": "", "better": "good:adjective well:adjective well:adverb",
		"glass": "", "xyzzys": "", "gas": "", "": "", "s": "", "_": "",
	} {
		var got []string
		for _, base := range d.Resolve(form).Bases {
			for _, pos := range base.As {
				got = append(got, base.Key+":"+pos.String())
			}
		}
		slices.Sort(got)
		wanted := strings.Fields(want)
		slices.Sort(wanted)
		if form == "Running" {
			wanted = []string{"run:verb"}
		}
		if !slices.Equal(got, wanted) {
			t.Errorf("%s: %v, want %v", form, got, wanted)
		}
	}
}

func TestEntryOfDog(t *testing.T) {
	t.Parallel()
	d := wordnettest.Load(t)
	e := d.Entry(d.Resolve("dog"))
	if e.Word != "dog" || len(e.Parts) != 2 || e.Parts[0].PartOfSpeech != "noun" || len(e.Parts[0].Senses) != 7 || len(e.Parts[1].Senses) != 1 {
		t.Fatalf("%+v", e)
	}
	first := e.Parts[0].Senses[0]
	if !strings.HasPrefix(first.Definition, "a member of the genus Canis") || !slices.Equal(first.Examples, []string{"the dog barked all night"}) {
		t.Errorf("%q %q", first.Definition, first.Examples)
	}
	if !slices.Contains(first.Synonyms, wordnet.Link{Word: "Canis familiaris", Href: "/canis_familiaris"}) {
		t.Errorf("synonyms %v", first.Synonyms)
	}
	if !slices.Contains(first.Hypernyms, wordnet.Link{Word: "canine", Href: "/canine"}) || len(first.Hyponyms) == 0 {
		t.Errorf("hypernyms %v, hyponyms %v", first.Hypernyms, first.Hyponyms)
	}
}

func TestAntonymsBelongToOneWordOfTheSynset(t *testing.T) {
	t.Parallel()
	d := wordnettest.Load(t)
	antonyms := func(word string) (words []string) {
		for _, part := range d.Entry(d.Resolve(word)).Parts {
			for _, sense := range part.Senses {
				for _, l := range sense.Antonyms {
					words = append(words, l.Word)
				}
			}
		}
		return words
	}
	if got := antonyms("able"); !slices.Equal(got, []string{"unable"}) {
		t.Errorf("able: %v", got)
	}
	if got := antonyms("dorsal"); slices.Contains(got, "adaxial") { // that is abaxial's, in the same synset
		t.Errorf("dorsal: %v", got)
	}
}

func TestOnlyThePartsOfSpeechThatFitAForm(t *testing.T) {
	t.Parallel()
	d := wordnettest.Load(t)
	e := d.Entry(d.Resolve("mice"))
	if len(e.Parts) != 1 || e.Parts[0].PartOfSpeech != "noun" || e.FormOf[0].Href != "/mouse" {
		t.Errorf("mice are the noun only: %+v", e)
	}
}

func TestEveryLemmaHasAnEntryAndACanonicalPath(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: walks all lemmas")
	}
	t.Parallel()
	d := wordnettest.Load(t)
	for i := range d.Len() {
		m := d.Random(i)
		if got := d.Resolve(m.Key); got.Key != m.Key || !got.Lemma {
			t.Fatalf("%q resolves to %+v", m.Key, got)
		}
		e := d.Entry(m)
		if len(e.Parts) == 0 || e.Word == "" || e.Parts[0].Senses[0].Definition == "" {
			t.Fatalf("%q: %+v", m.Key, e)
		}
		if wordnet.Fold(e.Word) != m.Key {
			t.Fatalf("%q is written %q, which folds to %q", m.Key, e.Word, wordnet.Fold(e.Word))
		}
		if strings.Count(wordnet.Path(m.Key), "/") != 1 {
			t.Fatalf("%q has the path %q", m.Key, wordnet.Path(m.Key))
		}
	}
}

func TestCompletionsAreCommonWordsFirst(t *testing.T) {
	t.Parallel()
	d := wordnettest.Load(t)
	got := words(d.Complete("do", 5))
	if got[0] != "do" || len(got) != 5 || !slices.Contains(got, "down") {
		t.Errorf("do…: %v", got)
	}
	if got := words(d.Complete("Hot D", 5)); got[0] != "hot dog" {
		t.Errorf("Hot D…: %v", got)
	}
	for prefix, limit := range map[string]int{"": 5, "zzzz": 5, "dog": 0, "do": -1} {
		if got := d.Complete(prefix, limit); len(got) != 0 {
			t.Errorf("%q, %d: %v", prefix, limit, got)
		}
	}
	if got := d.Complete("s", 1000); len(got) != wordnet.MaxSuggestions {
		t.Errorf("%d suggestions, want the bound", len(got))
	}
}

func TestNearFindsTypingMistakes(t *testing.T) {
	t.Parallel()
	d := wordnettest.Load(t)
	for typo, want := range map[string]string{
		"dgo": "dog", "definately": "definitely", "recieve": "receive", "elefant": "elephant", "hot_dgo": "hot dog",
		"accomodate": "accommodate", "zebar": "zebra", "wierd": "weird",
	} {
		if got := words(d.Near(typo, 5)); !slices.Contains(got, want) {
			t.Errorf("%s: %v, want %s among them", typo, got, want)
		}
	}
	for _, word := range []string{"", "qqqqqqqqqq", strings.Repeat("a", 200), "日本語日本語"} {
		if got := d.Near(word, 5); len(got) != 0 {
			t.Errorf("%q: %v", word, got)
		}
	}
}

func words(suggestions []wordnet.Suggestion) []string {
	list := make([]string, len(suggestions))
	for i, s := range suggestions {
		list[i] = s.Word
	}
	return list
}

func TestEntryIsJSON(t *testing.T) {
	t.Parallel()
	d := wordnettest.Load(t)
	b, err := json.Marshal(d.Entry(d.Resolve("tcp/ip")))
	if err != nil || !strings.Contains(string(b), `"/tcp%2Fip"`) {
		t.Errorf("%s %v", b, err)
	}
}

func BenchmarkResolve(b *testing.B) {
	d := wordnettest.Load(b)
	for b.Loop() {
		if !d.Resolve("dog").Lemma {
			b.Fatal("no dog")
		}
	}
}

func BenchmarkResolveForm(b *testing.B) {
	d := wordnettest.Load(b)
	for b.Loop() {
		d.Resolve("mice")
	}
}

func BenchmarkEntry(b *testing.B) {
	d := wordnettest.Load(b)
	m := d.Resolve("dog")
	for b.Loop() {
		d.Entry(m)
	}
}

func BenchmarkComplete(b *testing.B) {
	d := wordnettest.Load(b)
	for b.Loop() {
		d.Complete("s", 10)
	}
}

func BenchmarkNear(b *testing.B) {
	d := wordnettest.Load(b)
	for _, word := range []string{"definately", "xqzzyvw", "hte", "misunderstandingful", "aeiou"} {
		b.Run(word, func(b *testing.B) {
			for b.Loop() {
				d.Near(word, 5)
			}
		})
	}
}

func BenchmarkNew(b *testing.B) {
	data := wordnettest.Bytes(b)
	for b.Loop() {
		if _, err := wordnet.New(data); err != nil {
			b.Fatal(err)
		}
	}
}

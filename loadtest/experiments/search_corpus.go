package experiments

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"unicode"
)

// maxCorpusLine bounds a document of the corpus.
const maxCorpusLine = 1 << 20

// searchCorpus reads the corpus of the fleet: every so-manieth document of it, so that there are most at most; 0: all.
func searchCorpus(root string, most int) ([]searchDocument, error) {
	found, err := filepath.Glob(filepath.Join(root, "services/search/corpus/*.jsonl.gz"))
	if err != nil || len(found) != 1 {
		return nil, fmt.Errorf("corpus: want one file, found %d", len(found))
	}
	f, err := os.Open(found[0])
	if err != nil {
		return nil, fmt.Errorf("corpus: %w", err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("corpus: %w", err)
	}
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, maxCorpusLine)
	var all []searchDocument
	for lines.Scan() {
		var d searchDocument
		if err := json.Unmarshal(lines.Bytes(), &d); err != nil {
			return nil, fmt.Errorf("corpus: document %d: %w", len(all)+1, err)
		}
		all = append(all, d)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("corpus: %w", err)
	}
	return thinned(all, most), nil
}

// thinned takes documents at equal distances.
func thinned(all []searchDocument, most int) []searchDocument {
	if most == 0 || most >= len(all) {
		return all
	}
	few := make([]searchDocument, 0, most)
	for i := range most {
		few = append(few, all[i*len(all)/most])
	}
	return few
}

// manifold are documents so many times: a copy has an id of its own, and the title of another document in its text, so that no two are alike.
func manifold(documents []searchDocument, times int) []searchDocument {
	random := rand.New(rand.NewPCG(7, 7))
	all := make([]searchDocument, 0, len(documents)*times)
	all = append(all, documents...)
	for copies := 2; copies <= times; copies++ {
		for _, d := range documents {
			other := documents[random.IntN(len(documents))]
			d.ID = fmt.Sprintf("%s-%d", d.ID, copies)
			d.Text += "; " + other.Title
			all = append(all, d)
		}
	}
	return all
}

// searchQueries are queries of all kinds about documents, the same ones for the same seed.
func searchQueries(documents []searchDocument, n int, seed uint64) []url.Values {
	q := drawer{rand.New(rand.NewPCG(seed, 1)), documents}
	kinds := []func() url.Values{
		q.word, q.either, q.both, q.phrase, q.prefix, q.fuzzy, q.without, q.field, q.label, q.nested, q.everything,
	}
	all := make([]url.Values, 0, n)
	for i := range n {
		v := kinds[i%len(kinds)]()
		v.Set("limit", "10")
		if i%3 == 0 {
			v.Set("facets", "pos")
		}
		all = append(all, v)
	}
	return all
}

// drawer draws queries.
type drawer struct {
	*rand.Rand
	documents []searchDocument
}

func ask(q string) url.Values { return url.Values{"q": {q}} }

// words of a document that can be asked for as they are: three letters at least, and none that the language of queries knows.
func (a drawer) words() []string {
	for {
		d := a.documents[a.IntN(len(a.documents))]
		var words []string
		for _, w := range strings.FieldsFunc(d.Title+" "+d.Text, func(r rune) bool { return !unicode.IsLetter(r) }) {
			if len(w) >= 3 && !strings.ContainsFunc(w, func(r rune) bool { return r > unicode.MaxASCII }) {
				words = append(words, strings.ToLower(w))
			}
		}
		if len(words) >= 3 {
			return words
		}
	}
}

// one is a word that is long enough to be no word like "the".
func (a drawer) one() string {
	for {
		words := a.words()
		if w := words[a.IntN(len(words))]; len(w) >= 6 {
			return w
		}
	}
}

func (a drawer) word() url.Values   { return ask(a.one()) }
func (a drawer) either() url.Values { return ask(a.one() + " " + a.one()) }
func (a drawer) field() url.Values  { return ask("title:" + a.one()) }

func (a drawer) both() url.Values {
	v := ask(a.one() + " " + a.one())
	v.Set("operator", "and")
	return v
}

func (a drawer) phrase() url.Values {
	words := a.words()
	i := a.IntN(len(words) - 1)
	return ask(fmt.Sprintf(`"%s %s" OR %s`, words[i], words[i+1], a.one()))
}

func (a drawer) prefix() url.Values { return ask(a.one()[:4] + "*") }

// fuzzy swaps two letters.
func (a drawer) fuzzy() url.Values {
	w := []byte(a.one())
	w[2], w[3] = w[3], w[2]
	return ask(string(w) + "~")
}

func (a drawer) without() url.Values { return ask(a.one() + " NOT " + a.one()) }

func (a drawer) label() url.Values {
	return ask(a.one() + " AND pos:" + []string{"noun", "verb", "adjective", "adverb"}[a.IntN(4)])
}

func (a drawer) nested() url.Values {
	return ask(fmt.Sprintf("(%s OR %s) AND (%s OR text:%s)", a.one(), a.one(), a.one(), a.one()))
}

func (a drawer) everything() url.Values { return ask("NOT " + a.one()) }

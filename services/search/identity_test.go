package search

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/flotilla-dev/flotilla/services/search/document"
	"github.com/flotilla-dev/flotilla/services/search/index"
	"github.com/flotilla-dev/flotilla/services/search/query"
	"github.com/flotilla-dev/flotilla/services/search/text"
	"github.com/flotilla-dev/flotilla/services/search/wire"
)

// glosses are every nth of WordNet's.
func glosses(t testing.TB, every int) (some []document.Document) {
	t.Helper()
	files, err := filepath.Glob("corpus/*.jsonl.gz")
	if err != nil || len(files) != 1 {
		t.Fatalf("%v %v", files, err)
	}
	f, err := os.Open(files[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(z)
	for n := 0; lines.Scan(); n++ {
		if n%every != 0 {
			continue
		}
		d, err := document.Decode(lines.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		some = append(some, d)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return some
}

// A question is a query with its operator.
type question struct {
	text     string
	operator query.Kind
}

// questions are made of the words of documents, in all forms of the language, always the same ones.
func questions(documents []document.Document, n int) []question {
	random := rand.New(rand.NewPCG(1, 2))
	var words [][]text.Token
	for _, d := range documents {
		if tokens := text.Tokens(d.Text); len(tokens) > 2 {
			words = append(words, tokens)
		}
	}
	word := func() string { w := words[random.IntN(len(words))]; return w[random.IntN(len(w))].Surface }
	forms := []func() string{
		word,
		func() string { return word() + " " + word() },
		func() string { return word() + " " + word() + " " + word() },
		func() string { return word() + " AND " + word() },
		func() string { return "(" + word() + " OR " + word() + ") AND NOT " + word() },
		func() string {
			w := words[random.IntN(len(words))]
			return `"` + w[0].Surface + " " + w[1].Surface + `"`
		},
		func() string { w := word(); return w[:min(len(w), 2+random.IntN(3))] + "*" },
		func() string { return word() + "~1" },
		func() string { return "title:" + word() + " text:" + word() },
		func() string { return word() + " pos:verb" },
		func() string { return "-" + word() },
		func() string { return "* pos:adverb" },
	}
	var all []question
	for len(all) < n {
		q := question{forms[len(all)%len(forms)](), query.Or}
		if random.IntN(3) == 0 {
			q.operator = query.And
		}
		if _, err := query.Parse(q.text, query.Options{Operator: q.operator}); err == nil {
			all = append(all, q)
		}
	}
	return all
}

// expected is what one index with all documents answers.
func expected(x *index.Index, q question, limit int) (*wire.SearchAnswer, error) {
	n, err := query.Parse(q.text, query.Options{Operator: q.operator})
	if err != nil {
		return nil, err
	}
	a, err := index.Single(context.Background(), x, wire.SearchRequest{Epoch: wire.Latest, Plan: wire.Plan{Query: n}, Limit: limit})
	return &a, err
}

// compare asks the root all questions and demands the answers of the one index: ids, order, and scores to the last bit.
func compare(t *testing.T, r *testRoot, x *index.Index, all []question) {
	t.Helper()
	var group errgroup.Group
	const clients = 4
	for client := range clients {
		group.Go(func() error {
			for i := client; i < len(all); i += clients {
				if err := alike(r, x, all[i]); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
}

func alike(r *testRoot, x *index.Index, q question) error {
	want, err := expected(x, q, 10)
	var many *index.TooManyWordsError
	if errors.As(err, &many) {
		r.refused(400, "query-invalid", "q", q.text)
		return nil
	}
	if err != nil {
		return fmt.Errorf("%q: %w", q.text, err)
	}
	got := r.search("q", q.text, "operator", strings.ToLower(string(q.operator)))
	if got.Total != want.Total || len(got.Hits) != len(want.Hits) {
		return fmt.Errorf("%q: %d of %d hits, want %d of %d", q.text, len(got.Hits), got.Total, len(want.Hits), want.Total)
	}
	for i, h := range got.Hits {
		if w := want.Hits[i]; h.ID != w.ID || math.Float64bits(h.Score) != w.Bits {
			return fmt.Errorf("%q: hit %d is %s %v, want %s %v", q.text, i, h.ID, h.Score, w.ID, math.Float64frombits(w.Bits))
		}
	}
	return nil
}

// changed replaces some documents and deletes others.
func changed(documents []document.Document) (changes []document.Document) {
	for i, d := range documents {
		switch i % 10 {
		case 3:
			changes = append(changes, document.Document{ID: d.ID})
		case 7:
			d.Text = documents[(i*31)%len(documents)].Text
			changes = append(changes, d)
		}
	}
	return changes
}

// single is one index with all documents, in the order in which they are added.
type single struct {
	*index.Index
	next int64
}

func newSingle() *single { return &single{Index: index.New(index.Options{Versions: time.Hour})} }

func (s *single) add(t testing.TB, documents ...document.Document) {
	t.Helper()
	var changes []index.Change
	for _, d := range documents {
		change := index.Change{Offset: s.next, ID: d.ID}
		if d.Title != "" || d.Text != "" {
			change.Document = &d
		}
		changes = append(changes, change)
		s.next++
	}
	if err := s.Apply(changes); err != nil {
		t.Fatal(err)
	}
}

func TestAnyNumberOfShardsAnswersAsOneIndexDoes(t *testing.T) {
	every, n := 100, 1000
	if testing.Short() {
		every, n = 200, 200
	}
	documents := glosses(t, every)
	all := questions(documents, n)
	for _, shards := range []int{1, 2, 3, 5, 8} {
		t.Run(fmt.Sprint(shards, " shards"), func(t *testing.T) {
			one, c := newSingle(), newCorpus(t, shards, 1)
			one.add(t, documents...)
			c.add(t, documents...)
			r := startRoot(t, c, nil)
			compare(t, r, one.Index, all)
			changes := changed(documents)
			one.add(t, changes...)
			c.add(t, changes...)
			compare(t, r, one.Index, all[:n/4])
		})
	}
}

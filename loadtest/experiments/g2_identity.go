package experiments

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"

	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// identityRun is what is asked of each number of shards.
type identityRun struct {
	documents []searchDocument
	queries   []url.Values
	changes   []change
}

// change is a write: of a document, or, without a text, its end.
type change struct {
	searchDocument
	deleted bool
}

// newIdentityRun draws queries and changes.
func newIdentityRun(documents []searchDocument, queries int) identityRun {
	run := identityRun{documents: documents, queries: searchQueries(documents, queries, 11)}
	random := rand.New(rand.NewPCG(12, 12))
	n := max(len(documents)/50, 20)
	for i := range n {
		a, b := documents[random.IntN(len(documents))], documents[random.IntN(len(documents))]
		run.changes = append(run.changes, change{searchDocument: searchDocument{ID: a.ID}, deleted: true})
		b.Text += "; " + a.Title
		run.changes = append(run.changes, change{searchDocument: b})
		run.changes = append(run.changes, change{searchDocument: searchDocument{
			ID: fmt.Sprintf("new-%d", i), Title: b.Title + " " + a.Title, Text: a.Text, Labels: a.Labels,
		}})
	}
	return run
}

// identityAnswers are those of a number of shards before and after the changes.
type identityAnswers struct{ before, after [][]searchAnswer }

func sameAsOneIndex(ctx context.Context, r *proof.Report) error {
	most, queries := 0, 1001
	if r.Quick {
		most, queries = 3000, 110
	}
	documents, err := searchCorpus(r.Root, most)
	if err != nil {
		return err
	}
	run := newIdentityRun(documents, queries)
	g := rig.New(r)
	defer g.Close()
	kafka, err := newLog(ctx, g)
	if err != nil {
		return err
	}
	one, err := run.answers(ctx, r, g, kafka, 1)
	if err != nil {
		return err
	}
	found := 0
	for _, pages := range one.before {
		if len(pages[0].Hits) > 0 {
			found++
		}
	}
	r.Claim(proof.AtLeast("queries that find something", float64(found), float64(queries)*0.6, fmt.Sprintf("of %d", queries)))
	for _, shards := range []int{2, 3, 5, 8} {
		many, err := run.answers(ctx, r, g, kafka, shards)
		if err != nil {
			return err
		}
		run.compare(r, fmt.Sprintf("%d shards", shards), one.before, many.before)
		run.compare(r, fmt.Sprintf("%d shards, after %d changes", shards, len(run.changes)), one.after, many.after)
	}
	r.Note("%d documents. Queries of %d kinds: words, AND, OR, NOT, phrases, prefixes, fuzzy words, fields, labels, nested ones; a third of them with facets, and two pages of each. Of the changes a third deletes, a third replaces, and a third adds documents.", len(documents), 11)
	return nil
}

// answers starts so many shards, fills them, asks, changes documents, asks again, and ends them.
func (run identityRun) answers(ctx context.Context, r *proof.Report, g *rig.Rig, kafka *rig.Proc, shards int) (identityAnswers, error) {
	var answers identityAnswers
	s, err := newSearch(ctx, g, kafka, searchSpec{name: fmt.Sprintf("identity-%d", shards), shards: shards})
	if err != nil {
		return answers, err
	}
	defer s.stop()
	if err := s.fill(ctx, run.documents); err != nil {
		return answers, err
	}
	if answers.before, err = run.ask(ctx, s.searchClient); err != nil {
		return answers, err
	}
	if err := run.change(ctx, s.searchClient); err != nil {
		return answers, err
	}
	answers.after, err = run.ask(ctx, s.searchClient)
	r.Log("%d shards have answered", shards)
	return answers, err
}

func (run identityRun) ask(ctx context.Context, c *searchClient) ([][]searchAnswer, error) {
	var all [][]searchAnswer
	for _, v := range run.queries {
		pages, err := c.pages(ctx, v, 2)
		if err != nil {
			return nil, fmt.Errorf("search for %q: %w", v.Get("q"), err)
		}
		all = append(all, pages)
	}
	return all, nil
}

func (run identityRun) change(ctx context.Context, c *searchClient) error {
	seen := epochs{}
	for _, one := range run.changes {
		var e epochs
		var err error
		if one.deleted {
			e, err = c.delete(ctx, one.ID)
		} else {
			e, err = c.put(ctx, one.searchDocument)
		}
		if err != nil {
			return err
		}
		seen.add(e)
	}
	return c.settle(ctx, seen)
}

// compare claims that answers are those of one index.
func (run identityRun) compare(r *proof.Report, name string, one, many [][]searchAnswer) {
	different, bits, pages := 0, 0, 0
	for i := range one {
		why := ""
		if len(one[i]) != len(many[i]) {
			why = "another number of pages"
		}
		for n := 0; why == "" && n < len(one[i]); n++ {
			var moved int
			why, moved = one[i][n].differs(many[i][n])
			bits += moved
			pages++
		}
		if why != "" {
			if different++; different <= 5 {
				r.Note("%s, %s: %s", name, strings.TrimSpace(run.queries[i].Get("q")), why)
			}
		}
	}
	r.Claim(proof.Exactly("queries that are answered otherwise, "+name, different, 0, fmt.Sprintf("of %d", len(one))))
	r.Measured("scores that are not the same to the last bit, "+name, float64(bits), fmt.Sprintf("on %d pages", pages))
}

package experiments

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

func g1() proof.Pattern {
	return proof.Pattern{ID: "G1", Title: "Scatter/gather with root distribution: document search", Page: "g1-root-distribution.md", Experiments: []proof.Experiment{
		{Name: "figures", Question: "Are the answers in the book's figures 7-2 and 7-3 those of the programs?", Run: figures},
		{Name: "identity", Question: "Are AND and OR of terms, each asked of another leaf, answered as by a single index?", Run: termsAsOneIndex},
		{Name: "units", Question: "How long do 60 units of work take, divided among 1 to 30 leaves?", Run: unitsOfWork},
		{Name: "fastest", Question: "Does a leaf that became slow get less work?", Run: slowLeafGetsLess},
	}}
}

// The book's figure 7-2: two leaves that have all documents are asked for one word each, and the root intersects what they have.
var (
	figureCats = []string{"doc1", "doc2", "doc4"}
	figureDogs = []string{"doc1", "doc3", "doc4"}
	figureBoth = []string{"doc1", "doc4"}
)

// figureParts is figure 7-3: three leaves of ten documents each, and what each has with both words.
var figureParts = [][]string{{"doc1", "doc5"}, {"doc15"}, {"doc22", "doc28"}}

func figures(ctx context.Context, r *proof.Report) error {
	g := rig.New(r)
	defer g.Close()
	kafka, err := newLog(ctx, g)
	if err != nil {
		return err
	}
	if err := figureOfTerms(ctx, r, g, kafka); err != nil {
		return err
	}
	return figureOfDocuments(ctx, r, g, kafka)
}

func figureOfTerms(ctx context.Context, r *proof.Report, g *rig.Rig, kafka *rig.Proc) error {
	s, err := newSearch(ctx, g, kafka, searchSpec{name: "figure-7-2", shards: 1, replicas: 2, terms: true})
	if err != nil {
		return err
	}
	var documents []searchDocument
	for i := 1; i <= 4; i++ {
		id := fmt.Sprintf("doc%d", i)
		documents = append(documents, figureDocument(id, slices.Contains(figureCats, id), slices.Contains(figureDogs, id)))
	}
	if err := s.fill(ctx, documents); err != nil {
		return err
	}
	before, err := s.callsTo(ctx, `http_route="/v1/terms"`)
	if err != nil {
		return err
	}
	for _, c := range []struct {
		query string
		want  []string
	}{{"cat", figureCats}, {"dog", figureDogs}, {"cat AND dog", figureBoth}, {"cat OR dog", []string{"doc1", "doc2", "doc3", "doc4"}}} {
		if err := claimFound(ctx, r, s.searchClient, "figure 7-2", c.query, c.want); err != nil {
			return err
		}
	}
	after, err := s.callsTo(ctx, `http_route="/v1/terms"`)
	if err != nil {
		return err
	}
	asked := 0
	for i := range after {
		if after[i] > before[i] {
			asked++
		}
	}
	r.Claim(proof.Exactly("figure 7-2: leaves that were asked for a word", asked, 2, "of 2"))
	return nil
}

// figureDocument has the words or not, and others.
func figureDocument(id string, cat, dog bool) searchDocument {
	words := []string{"something", "else"}
	if cat {
		words = append(words, "cat")
	}
	if dog {
		words = append(words, "dog")
	}
	return searchDocument{ID: id, Title: "Document " + strings.TrimPrefix(id, "doc"), Text: strings.Join(words, " ")}
}

// figureOfDocuments has the first leaf serve documents 1 to 10, the second one 11 to 20, and the third one 21 to 30. They are placed so by hand:
// each leaf follows a log of its own, to which a root of its own writes, and one more root has all three as its shards.
func figureOfDocuments(ctx context.Context, r *proof.Report, g *rig.Rig, kafka *rig.Proc) error {
	var leaves [][]*rig.Proc
	var last *searchRig
	for i, part := range figureParts {
		s, err := newSearch(ctx, g, kafka, searchSpec{name: fmt.Sprintf("figure-7-3-leaf-%d", i+1), shards: 1})
		if err != nil {
			return err
		}
		var documents []searchDocument
		for n := 10*i + 1; n <= 10*i+10; n++ {
			id := fmt.Sprintf("doc%d", n)
			both := slices.Contains(part, id)
			documents = append(documents, figureDocument(id, both || n%3 == 0, both || n%3 == 1))
		}
		if err := s.fill(ctx, documents); err != nil {
			return err
		}
		if err := claimFound(ctx, r, s.searchClient, fmt.Sprintf("figure 7-3, leaf %d alone", i+1), "cat AND dog", part); err != nil {
			return err
		}
		leaves, last = append(leaves, s.leaves[0]), s
	}
	root, err := last.rootOver(ctx, "figure-7-3", leaves, false, map[string]string{"SEARCH_KAFKA": ""})
	if err != nil {
		return err
	}
	c := newSearchClient(root.Data)
	defer c.close()
	return claimFound(ctx, r, c, "figure 7-3, the root", "cat AND dog", slices.Concat(figureParts...))
}

// claimFound claims that a query finds exactly these documents, in whatever order.
func claimFound(ctx context.Context, r *proof.Report, c *searchClient, where, query string, want []string) error {
	v := ask(query)
	v.Set("limit", "100")
	a, err := c.found(ctx, v)
	if err != nil {
		return fmt.Errorf("%s: %w", where, err)
	}
	got := slices.Sorted(slices.Values(a.ids()))
	sorted := slices.Sorted(slices.Values(want))
	r.Claim(proof.That(fmt.Sprintf("%s: %s", where, query), "{"+strings.Join(sorted, ", ")+"}", "{"+strings.Join(got, ", ")+"}", slices.Equal(got, sorted) && a.Total == int64(len(want))))
	return nil
}

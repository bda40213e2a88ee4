package search

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/flotilla-dev/flotilla/internal/problem"
	"github.com/flotilla-dev/flotilla/internal/upstream"
	"github.com/flotilla-dev/flotilla/services/search/combine"
	"github.com/flotilla-dev/flotilla/services/search/merge"
	"github.com/flotilla-dev/flotilla/services/search/query"
	"github.com/flotilla-dev/flotilla/services/search/scatter"
	"github.com/flotilla-dev/flotilla/services/search/wire"
)

// maxTies bounds documents of equal score that are fetched to be put in the order of their ids.
const maxTies = 10_000

// batch is how many documents are asked of a leaf at once.
const batch = 500

// words searches leaves that have all documents: each is asked for the list of one word, at one epoch, and the root intersects and unites
// the lists. A word that is missing leaves no answer: without it other documents match, and scores are others.
func (e *engine) words(ctx context.Context, t *table, r *request) (*Answer, error) {
	began := time.Now()
	if err := query.Distributable(r.node); err != nil {
		return nil, problem.New(http.StatusBadRequest, "query-invalid", err.Error())
	}
	if len(r.facets) > 0 {
		return nil, badParameter("facets", "is not known where words are distributed: no leaf sees the whole query")
	}
	s := e.begin(t, r)
	if err := s.statistics(ctx); err != nil {
		return nil, err
	}
	guess := s.suggest(ctx)
	lists, err := s.lists(ctx)
	suggestion := guess()
	if err != nil {
		return nil, err
	}
	found := combine.Combine(r.node, lists)
	hits, err := s.fetch(ctx, found)
	if err != nil {
		return nil, err
	}
	answer := &Answer{Total: int64(len(found)), Suggestion: suggestion}
	s.finish(answer, hits)
	if r.explain {
		s.explainAll(ctx, answer)
	}
	answer.Hedged, answer.TookMS = s.hedged, milliseconds(time.Since(began))
	return answer, nil
}

// lists are the documents of all words, each from another leaf as far as there are so many: the one with the least to do, and of those
// one of the fastest.
func (s *searching) lists(ctx context.Context) ([]wire.Postings, error) {
	nodes := s.request.node.Scoring()
	only := s.parts[0]
	shards := make([]scatter.Shard, len(nodes))
	for i := range shards {
		shards[i] = only.shard.asked()
	}
	g := scatter.Gather(ctx, s.kinds.terms, shards, func(ctx context.Context, i int, replica *upstream.Endpoint) (a wire.Postings, err error) {
		asked := wire.TermsRequest{Epoch: only.epoch, Node: *nodes[i], Limit: wire.MostPostings}
		body, err := s.leaves.call(ctx, replica, http.MethodPost, "/v1/terms", asked)
		if err != nil {
			return a, err
		}
		if err := a.UnmarshalBinary(body); err != nil {
			return a, nonsense(err)
		}
		if a.Epoch != only.epoch {
			return a, nonsense(fmt.Errorf("postings of epoch %d in place of %d", a.Epoch, only.epoch))
		}
		return a, nil
	})
	return gathered(s, g)
}

// gathered are the answers of calls that are all needed.
func gathered[A any](s *searching, g scatter.Gathered[A]) ([]A, error) {
	s.hedged += g.Hedged()
	all := make([]A, len(g))
	for i := range g {
		if g[i].Missing != "" {
			note(s, s.parts[:1], g[i:i+1])
			return nil, s.enough()
		}
		all[i] = g[i].Value
	}
	return all, nil
}

// fetch gets the documents of one page and one more, in their order. Postings have no ids, so all documents with the same score are
// fetched before the order of any of them is known.
func (s *searching) fetch(ctx context.Context, found []combine.Found) ([]merge.Merged, error) {
	want := s.request.limit + 1
	if c := s.request.cursor; c != nil {
		found = slices.DeleteFunc(found, func(f combine.Found) bool { return math.Float64bits(f.Score) > c.After.Bits })
	}
	combine.Sort(found)
	var page []merge.Merged
	for len(page) < want && len(found) > 0 {
		n := combine.Group(found, want-len(page))
		if n > want+maxTies {
			return nil, problem.New(http.StatusBadRequest, "query-invalid", fmt.Sprintf("more than %d documents have the same score here: add a word", maxTies))
		}
		hits, err := s.texts(ctx, found[:n])
		if err != nil {
			return nil, err
		}
		for _, h := range hits {
			if c := s.request.cursor; c == nil || merge.Compare(c.After, merge.Place(&h)) < 0 {
				page = append(page, merge.Merged{Hit: h})
			}
		}
		found = found[n:]
	}
	return page[:min(len(page), want)], nil
}

// texts are documents as they are shown, sorted as hits are.
func (s *searching) texts(ctx context.Context, found []combine.Found) ([]wire.Hit, error) {
	chunks := slices.Collect(slices.Chunk(found, batch))
	only := s.parts[0]
	shards := make([]scatter.Shard, len(chunks))
	for i := range shards {
		shards[i] = only.shard.asked()
	}
	g := scatter.Gather(ctx, s.kinds.documents, shards, func(ctx context.Context, i int, replica *upstream.Endpoint) (a wire.DocumentsAnswer, err error) {
		asked := wire.DocumentsRequest{Epoch: only.epoch, Query: s.request.node}
		for _, f := range chunks[i] {
			asked.Offsets = append(asked.Offsets, f.Offset)
		}
		if err := s.leaves.post(ctx, replica, "/v1/documents", asked, &a); err != nil {
			return a, err
		}
		return a, checkTexts(&asked, &a)
	})
	answers, err := gathered(s, g)
	if err != nil {
		return nil, err
	}
	scores := make(map[int64]float64, len(found))
	for _, f := range found {
		scores[f.Offset] = f.Score
	}
	var hits []wire.Hit
	for _, a := range answers {
		for _, h := range a.Hits {
			h.Bits = math.Float64bits(scores[h.Offset])
			hits = append(hits, h)
		}
	}
	slices.SortFunc(hits, func(a, b wire.Hit) int { return merge.Compare(merge.Place(&a), merge.Place(&b)) })
	return hits, nil
}

// checkTexts: what a list had at an epoch is there at this epoch on every leaf.
func checkTexts(asked *wire.DocumentsRequest, a *wire.DocumentsAnswer) error {
	wanted := map[int64]bool{}
	for _, offset := range asked.Offsets {
		wanted[offset] = true
	}
	for i := range a.Hits {
		if !wanted[a.Hits[i].Offset] {
			return nonsense(fmt.Errorf("a document of offset %d that nobody asked for", a.Hits[i].Offset))
		}
		delete(wanted, a.Hits[i].Offset)
	}
	if len(wanted) > 0 || a.Epoch != asked.Epoch {
		return nonsense(fmt.Errorf("%d documents are not there at epoch %d", len(wanted), asked.Epoch))
	}
	return nil
}

package experiments

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/flotilla-dev/flotilla/loadtest/proof"
)

// termsAsOneIndex asks two roots over the same leaves: one that sends each word to another leaf, and one for which a leaf is an index that does
// all by itself.
func termsAsOneIndex(ctx context.Context, r *proof.Report) error {
	queries := 1000
	if r.Quick {
		queries = 100
	}
	s, documents, err := filledSearch(ctx, r, searchSpec{name: "terms", shards: 1, replicas: 3, terms: true})
	if err != nil {
		return err
	}
	defer s.rig.Close()
	root, err := s.rootOver(ctx, "single", s.leaves, false, nil)
	if err != nil {
		return err
	}
	single := newSearchClient(root.Data)
	defer single.close()
	different, bits := 0, 0
	var longest int64
	for _, v := range termQueries(documents, queries) {
		one, err := single.found(ctx, v)
		if err != nil {
			return err
		}
		many, err := s.found(ctx, v)
		if err != nil {
			return err
		}
		why, moved := one.differs(many)
		if bits += moved; why != "" {
			if different++; different <= 5 {
				r.Note("%s: %s", v.Get("q"), why)
			}
		}
		longest = max(longest, one.Total)
	}
	r.Claim(proof.Exactly("queries that are answered otherwise than by a single index", different, 0, fmt.Sprintf("of %d", queries)))
	r.Measured("scores that are not the same to the last bit", float64(bits), "")
	r.Measured("the most documents that a query has found", float64(longest), "")
	return s.claimOnlyTerms(ctx, r)
}

// termQueries are for one to four words, all of them or any.
func termQueries(documents []searchDocument, n int) []url.Values {
	q := drawer{seeded(71), documents}
	var all []url.Values
	for i := range n {
		words := q.words()[:1]
		for len(words) < 1+i%4 {
			words = append(words, q.one())
		}
		words[0] = q.one()
		all = append(all, url.Values{"q": {strings.Join(words, []string{" AND ", " OR "}[i%2])}, "limit": {"20"}})
	}
	return all
}

// claimOnlyTerms claims that what cannot be divided by terms is refused.
func (s *searchRig) claimOnlyTerms(ctx context.Context, r *proof.Report) error {
	refused := 0
	queries := []string{`"hot dog"`, "hous*", "recieve~", "dog AND NOT cat", "pos:noun"}
	for _, q := range queries {
		a, err := s.search(ctx, ask(q))
		if err != nil {
			return err
		}
		if a.status == 400 {
			refused++
		}
	}
	r.Claim(proof.Exactly("queries of other kinds that are refused", refused, len(queries), fmt.Sprintf("of %d", len(queries))))
	return nil
}

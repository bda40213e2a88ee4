package search

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/flotilla-dev/flotilla/internal/upstream"
	"github.com/flotilla-dev/flotilla/services/search/query"
	"github.com/flotilla-dev/flotilla/services/search/scatter"
	"github.com/flotilla-dev/flotilla/services/search/text"
	"github.com/flotilla-dev/flotilla/services/search/wire"
)

// mostSuggestions bounds the words for which others are looked for.
const mostSuggestions = 3

// suggest looks for other spellings of the words that are in no document, beside whatever else is done. The function that it returns
// waits, and gives the query as it may have been meant, or "".
func (s *searching) suggest(ctx context.Context) func() string {
	unknown := s.unknownWords()
	if len(unknown) == 0 || s.request.cursor != nil {
		return func() string { return "" }
	}
	parts, shards := s.asked() // as they are now: the second phase changes them
	epochs := make([]int64, len(parts))
	for i, p := range parts {
		epochs[i] = p.epoch
	}
	done := make(chan string, 1)
	go func() { done <- s.respell(ctx, unknown, shards, epochs) }()
	return func() string { return <-done }
}

// unknownWords are the words, as they were written, that are in no document.
func (s *searching) unknownWords() (words []string) {
	for i, node := range s.request.node.Scoring() {
		if node.Kind != query.Term && node.Kind != query.Phrase || i >= len(s.plan.Nodes) {
			continue
		}
		for j, w := range s.plan.Nodes[i].Words {
			known := w.Documents > 0 || w.Word == "" || j >= len(node.Written) || node.Written[j] == ""
			if !known && len(words) < mostSuggestions && !slices.Contains(words, node.Written[j]) {
				words = append(words, node.Written[j])
			}
		}
	}
	return words
}

// respell replaces words by others that are in documents.
func (s *searching) respell(ctx context.Context, words []string, shards []scatter.Shard, epochs []int64) string {
	better := map[string]string{}
	for _, word := range words {
		if other := s.better(ctx, word, shards, epochs); other != "" {
			better[word] = other
		}
	}
	return respelt(s.request.text, better)
}

// respelt is a query with words replaced, and all else as it was written; "" when there is nothing to replace.
func respelt(query string, better map[string]string) string {
	var b strings.Builder
	from := 0
	for _, token := range text.Words(query) {
		if other := better[token.Surface]; other != "" {
			b.WriteString(query[from:token.Start])
			b.WriteString(other)
			from = token.End
		}
	}
	if from == 0 {
		return ""
	}
	return b.String() + query[from:]
}

// better is the word nearest to another one, and of those that are equally near the one that is in most documents of all shards.
func (s *searching) better(ctx context.Context, word string, shards []scatter.Shard, epochs []int64) string {
	g := scatter.Gather(ctx, s.kinds.suggest, shards, func(ctx context.Context, i int, replica *upstream.Endpoint) (a wire.SuggestAnswer, err error) {
		err = s.leaves.post(ctx, replica, "/v1/suggest", wire.SuggestRequest{Epoch: epochs[i], Word: word}, &a)
		return a, err
	})
	sums := map[string]wire.WordStatistics{}
	for i := range g {
		for _, w := range g[i].Value.Words {
			if w.Word == word || strings.TrimSpace(w.Word) == "" {
				continue
			}
			sum := sums[w.Word]
			sums[w.Word] = wire.WordStatistics{Word: w.Word, Documents: sum.Documents + w.Documents, Edits: w.Edits}
		}
	}
	var best wire.WordStatistics
	for _, w := range sums {
		if best.Word == "" || nearer(w, best) < 0 {
			best = w
		}
	}
	return best.Word
}

func nearer(a, b wire.WordStatistics) int {
	return cmp.Or(cmp.Compare(a.Edits, b.Edits), cmp.Compare(b.Documents, a.Documents), cmp.Compare(a.Word, b.Word))
}

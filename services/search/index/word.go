package index

import (
	"context"

	"github.com/flotilla-dev/flotilla/services/search/query"
	"github.com/flotilla-dev/flotilla/services/search/wire"
)

// Word lists all documents with a word and what it adds to their scores, with the statistics of this index: it has all documents
// where words are distributed. One that is in more than limit documents is refused, because a part of its list would be of no use.
func (v *View) Word(ctx context.Context, node *query.Node, limit int) (wire.Postings, error) {
	if node == nil || node.Kind != query.Term {
		return wire.Postings{}, refuse("words alone can be listed")
	}
	statistics, err := v.Statistics(ctx, node)
	if err != nil {
		return wire.Postings{}, err
	}
	limit = min(limit, wire.MostPostings)
	if documents := statistics.Nodes[0].Words[0].Documents; documents > int64(limit) {
		return wire.Postings{}, refuse("%q is in %d documents; a list has at most %d", node.Words[0], documents, limit)
	}
	plan, err := Sum(node, []wire.Statistics{statistics})
	if err != nil {
		return wire.Postings{}, err
	}
	t, err := v.take(&plan)
	if err != nil {
		return wire.Postings{}, err
	}
	p := t.compile(ctx, &plan)
	list := wire.Postings{Epoch: v.epoch, Documents: t.documents}
	err = p.each(t, func(number uint64, found *version) {
		list.Offsets = append(list.Offsets, found.added)
		list.Scores = append(list.Scores, p.score(number, found))
	})
	return list, err
}

package search

import (
	"context"
	"errors"
	"net/url"

	"github.com/flotilla-dev/flotilla/internal/upstream"
	"github.com/flotilla-dev/flotilla/services/search/document"
	"github.com/flotilla-dev/flotilla/services/search/scatter"
)

// document gets a document from the shard that it belongs to.
func (e *engine) document(ctx context.Context, t *table, id string) (*document.Document, error) {
	s := e.begin(t, &request{all: true})
	p := s.parts[t.placed.Of(id)]
	g := scatter.Gather(ctx, e.kinds.document, []scatter.Shard{p.shard.asked()}, func(ctx context.Context, _ int, replica *upstream.Endpoint) (d document.Document, err error) {
		if err := e.leaves.get(ctx, replica, "/v1/documents/"+url.PathEscape(id), &d); err != nil {
			return d, err
		}
		if d.ID != id {
			return d, nonsense(errors.New("another document than the one asked for"))
		}
		return d, nil
	})
	if err := notFound(g[0].Err); err != nil {
		return nil, err
	}
	note(s, []*part{p}, g)
	if err := s.enough(); err != nil {
		return nil, err
	}
	return &g[0].Value, nil
}

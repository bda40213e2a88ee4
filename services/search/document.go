package search

import (
	"context"
	"fmt"
	"net/url"

	"github.com/flotilla-dev/flotilla/internal/upstream"
	"github.com/flotilla-dev/flotilla/services/search/document"
	"github.com/flotilla-dev/flotilla/services/search/scatter"
)

// at is a document as a replica has it at an epoch.
type at struct {
	document.Document
	Epoch int64 `json:"epoch"`
}

// document gets a document from the shard that it belongs to, at the epoch that the caller wants at least.
func (e *engine) document(ctx context.Context, t *table, id string, values url.Values) (*document.Document, error) {
	r := &request{all: true}
	if err := checkNames(values, "min_epochs"); err != nil {
		return nil, err
	}
	if err := r.readLeast(values.Get("min_epochs"), t); err != nil {
		return nil, err
	}
	s := e.begin(t, r)
	p := s.parts[t.placed.Of(id)]
	least, shard := r.least[p.number], p.shard.asked()
	shard.Waits = least > 0
	path := fmt.Sprintf("/v1/documents/%s?least=%d", url.PathEscape(id), least)
	g := scatter.Gather(ctx, e.kinds.document, []scatter.Shard{shard}, func(ctx context.Context, _ int, replica *upstream.Endpoint) (d at, err error) {
		if err := e.leaves.get(ctx, replica, path, &d); err != nil {
			return d, err
		}
		if d.ID != id || d.Epoch < least {
			return d, nonsense(fmt.Errorf("document %.60q of epoch %d in place of %.60q, at least %d", d.ID, d.Epoch, id, least))
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
	return &g[0].Value.Document, nil
}

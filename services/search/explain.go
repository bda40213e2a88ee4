package search

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/flotilla-dev/flotilla/internal/problem"
	"github.com/flotilla-dev/flotilla/internal/upstream"
	"github.com/flotilla-dev/flotilla/services/search/query"
	"github.com/flotilla-dev/flotilla/services/search/scatter"
	"github.com/flotilla-dev/flotilla/services/search/wire"
)

// explainAll adds to each hit why it has its score. A hit whose shard does not say is left without.
func (s *searching) explainAll(ctx context.Context, answer *Answer) {
	shards := make([]scatter.Shard, len(answer.Hits))
	asked := make([]wire.ExplainRequest, len(answer.Hits))
	for i, hit := range answer.Hits {
		shards[i] = s.parts[hit.Shard].shard.asked()
		asked[i] = wire.ExplainRequest{Epoch: s.parts[hit.Shard].epoch, Plan: s.plan, ID: hit.ID}
	}
	g := scatter.Gather(ctx, s.kinds.explain, shards, func(ctx context.Context, i int, replica *upstream.Endpoint) (a wire.Explanation, err error) {
		err = s.leaves.post(ctx, replica, "/v1/explain", asked[i], &a)
		return a, err
	})
	for i := range g {
		if g[i].Missing == "" {
			answer.Hits[i].Explanation = &g[i].Value
		}
	}
	s.hedged += g.Hedged()
}

// An Explained is why a document has its score for a query.
type Explained struct {
	ID    string `json:"id"`
	Query string `json:"query"`
	Shard int    `json:"shard"`
	Epoch int64  `json:"epoch"`
	wire.Explanation
}

// explain answers why a document has its score.
func (e *engine) explain(ctx context.Context, t *table, id string, values url.Values) (*Explained, error) {
	node, columns, err := parseQuery(values.Get("q"), operatorOf(values))
	if err != nil {
		return nil, err
	}
	s := e.begin(t, &request{node: node, columns: columns, all: true, least: t.least()})
	if err := s.statistics(ctx); err != nil {
		return nil, err
	}
	p := s.parts[t.placed.Of(id)]
	g := scatter.Gather(ctx, s.kinds.explain, []scatter.Shard{p.shard.asked()}, func(ctx context.Context, _ int, replica *upstream.Endpoint) (a wire.Explanation, err error) {
		err = s.leaves.post(ctx, replica, "/v1/explain", wire.ExplainRequest{Epoch: p.epoch, Plan: s.plan, ID: id}, &a)
		return a, err
	})
	if err := notFound(g[0].Err); err != nil {
		return nil, err
	}
	note(s, []*part{p}, g)
	if err := s.enough(); err != nil {
		return nil, err
	}
	return &Explained{ID: id, Query: node.String(), Shard: p.number, Epoch: p.epoch, Explanation: g[0].Value}, nil
}

func operatorOf(values url.Values) query.Kind {
	if values.Get("operator") == "and" {
		return query.And
	}
	return query.Or
}

// errNotFound is the answer of a leaf that has no such document.
var errNotFound = errors.New("no such document")

func notFound(err error) error {
	if errors.Is(err, errNotFound) {
		return problem.New(http.StatusNotFound, "document-not-found", "there is no document with this id")
	}
	return nil
}

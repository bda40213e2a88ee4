package experiments

import (
	"context"
	"fmt"

	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// rankedAsJudged fills searches of 1 and 8 shards with a judged collection.
func rankedAsJudged(ctx context.Context, r *proof.Report) error {
	g := rig.New(r)
	defer g.Close()
	kafka, err := newLog(ctx, g)
	if err != nil {
		return err
	}
	return relevanceOfShards(ctx, r, func(ctx context.Context, shards int) (string, func(), error) {
		s, err := newSearch(ctx, g, kafka, searchSpec{name: fmt.Sprintf("judged-%d", shards), shards: shards})
		if err != nil {
			return "", nil, err
		}
		return s.base, s.stop, nil
	}, 1, 8)
}

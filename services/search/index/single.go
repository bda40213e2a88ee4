package index

import (
	"context"

	"github.com/flotilla-dev/flotilla/services/search/wire"
)

// Single answers as an index that has all documents: it plans with its own statistics. The plan of the request is its query alone; its
// epoch may be wire.Latest.
func Single(ctx context.Context, x *Index, request wire.SearchRequest) (wire.SearchAnswer, error) {
	view, err := x.At(request.Epoch)
	if err != nil {
		return wire.SearchAnswer{}, err
	}
	statistics, err := view.Statistics(ctx, request.Plan.Query)
	if err != nil {
		return wire.SearchAnswer{}, err
	}
	request.Plan, err = Sum(request.Plan.Query, []wire.Statistics{statistics})
	if err != nil {
		return wire.SearchAnswer{}, err
	}
	return view.Search(ctx, request)
}

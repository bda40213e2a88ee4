package reshard

import (
	"context"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/flotilla-dev/flotilla/services/search/doclog"
)

// late counts the documents behind the seals until ctx ends. Each was told to its writer as one whose outcome is unknown, or to nobody, because its
// root was gone; it is in no index, and is named, so that nobody has to believe that.
func (d *Driver) late(ctx context.Context, l *logs, seal string) (int64, error) {
	var late atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for p := range int32(len(d.Layout.Shards)) {
		group.Go(func() error {
			sealed := false
			return read(ctx, l.from, p, doclog.Follower{Handle: func(_ context.Context, b doclog.Batch) error {
				for _, r := range b.Records {
					if sealed && r.Kind == doclog.Document {
						late.Add(1)
						d.Log.Error("a record is behind the seal; it was not acknowledged, and is not copied", "partition", p, "offset", r.Offset, "id", r.ID)
					}
					sealed = sealed || r.Kind == doclog.Seal && r.ID == seal
				}
				return nil
			}})
		})
	}
	err := group.Wait()
	return late.Load(), err
}

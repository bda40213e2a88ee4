package leaf

import (
	"context"
	"errors"
	"sync/atomic"
)

// errOverloaded says that there are as many requests as may be.
var errOverloaded = errors.New("too many requests are worked on or wait")

// A bulkhead bounds how many requests are worked on, and how many wait.
type bulkhead struct {
	slots   chan struct{} // one for each request that is worked on
	most    int64
	waiting atomic.Int64
}

// waitingPerSlot is how many requests may wait for each that is worked on.
const waitingPerSlot = 4

func newBulkhead(slots int) *bulkhead {
	return &bulkhead{slots: make(chan struct{}, slots), most: int64(slots) * waitingPerSlot}
}

// enter waits for a slot. Who gets one calls leave.
func (b *bulkhead) enter(ctx context.Context) error {
	select {
	case b.slots <- struct{}{}:
		return nil
	default:
	}
	return b.wait(func() error {
		select {
		case b.slots <- struct{}{}:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}

func (b *bulkhead) leave() { <-b.slots }

// wait runs what waits, if there is room for one more.
func (b *bulkhead) wait(until func() error) error {
	defer b.waiting.Add(-1)
	if b.waiting.Add(1) > b.most {
		return errOverloaded
	}
	return until()
}

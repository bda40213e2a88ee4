// Package bulkhead bounds what a root or a leaf works on at a time, and what waits for that: a queue that grows answers nobody in time.
package bulkhead

import (
	"context"
	"errors"
	"sync/atomic"
)

// ErrFull says that as many are in, and wait, as may.
var ErrFull = errors.New("too many requests are worked on or wait")

// A Bulkhead has a slot for each request that is worked on. It is safe for concurrent use.
type Bulkhead struct {
	slots   chan struct{}
	most    int64
	waiting atomic.Int64
}

// New returns a bulkhead with so many slots, and places to wait for each of them.
func New(slots, places int) *Bulkhead {
	return &Bulkhead{slots: make(chan struct{}, slots), most: int64(slots) * int64(places)}
}

// Enter waits for a slot. Who gets one calls Leave. The error is ErrFull, or that of ctx: a slot that comes when the time is over is given
// back, for nobody waits for the work any more.
func (b *Bulkhead) Enter(ctx context.Context) error {
	select {
	case b.slots <- struct{}{}:
	default:
		err := b.Wait(func() error {
			select {
			case b.slots <- struct{}{}:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		if err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		b.Leave()
		return err
	}
	return nil
}

// Leave gives a slot back.
func (b *Bulkhead) Leave() { <-b.slots }

// Wait runs what waits for something, if there is room for one more who does.
func (b *Bulkhead) Wait(until func() error) error {
	defer b.waiting.Add(-1)
	if b.waiting.Add(1) > b.most {
		return ErrFull
	}
	return until()
}

// Inside is how many are in.
func (b *Bulkhead) Inside() int { return len(b.slots) }

// Waiting is how many wait.
func (b *Bulkhead) Waiting() int64 { return b.waiting.Load() }

package ownership

import (
	"context"
	"sync"

	"github.com/flotilla-dev/flotilla/services/ownership/lease"
)

// A view is what this replica knows of who owns each shard.
type view struct {
	mu      sync.Mutex // guards all below
	records []lease.Record
	changed chan struct{} // closed, and replaced, at each change
}

func newView(shards int) *view {
	return &view{records: make([]lease.Record, shards), changed: make(chan struct{})}
}

func (v *view) set(shard int, r lease.Record) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.records[shard] = r
	v.announce()
}

// announce wakes who waits; the mutex is held.
func (v *view) announce() {
	close(v.changed)
	v.changed = make(chan struct{})
}

// wake lets those who wait look again.
func (v *view) wake() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.announce()
}

func (v *view) get(shard int) (lease.Record, <-chan struct{}) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.records[shard], v.changed
}

// owned counts the shards of each holder.
func (v *view) owned() map[string]int {
	v.mu.Lock()
	defer v.mu.Unlock()
	count := map[string]int{}
	for _, r := range v.records {
		if r.Holder != "" {
			count[r.Holder]++
		}
	}
	return count
}

// await waits until try is content or ctx ends.
func (v *view) await(ctx context.Context, shard int, try func(lease.Record) bool) error {
	for {
		r, changed := v.get(shard)
		if try(r) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

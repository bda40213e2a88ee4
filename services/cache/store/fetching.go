package store

import (
	"strings"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"
)

// fetching counts the fetches under way by the ban that was the latest when they began: what they bring has
// not seen the bans added since, so these must stay in the list until it is stored.
type fetching struct {
	mu    sync.Mutex
	count map[uint64]int
}

// Begin registers a fetch and returns the number to hand to [Object.MarkBorn] and to [Store.End].
func (s *Store) Begin() uint64 {
	f := &s.fetching
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.count == nil {
		f.count = map[uint64]int{}
	}
	born := s.bans.latest.Load()
	f.count[born]++
	return born
}

// End says that what the fetch brought is stored, or never will be.
func (s *Store) End(born uint64) {
	f := &s.fetching
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.count[born]--; f.count[born] == 0 {
		delete(f.count, born)
	}
}

// oldest is the smallest registered number, or latest when nothing is under way.
func (f *fetching) oldest(latest uint64) uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	for born := range f.count {
		latest = min(latest, born)
	}
	return latest
}

// replaceIf is the computation of Store.drop.
func replaceIf(key string, seen *Resource, keep []*Object, now time.Time) func(*Resource) (*Resource, otter.ComputeOp) {
	return func(r *Resource) (*Resource, otter.ComputeOp) {
		switch {
		case r != seen:
			return nil, otter.CancelOp
		case len(keep) == 0 && !now.Before(r.MissUntil):
			return nil, otter.InvalidateOp
		}
		next := &Resource{Variants: keep, MissUntil: r.MissUntil}
		next.weight = weigh(key, next)
		return next, otter.WriteOp
	}
}

// Key joins host and target; a host has no slash, and a target begins with one.
func Key(host, target string) string { return strings.ToLower(host) + target }

// SplitKey is the inverse of [Key].
func SplitKey(key string) (host, target string) {
	i := strings.IndexByte(key, '/')
	if i < 0 {
		return key, ""
	}
	return key[:i], key[i:]
}

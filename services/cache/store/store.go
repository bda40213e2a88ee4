package store

import (
	"slices"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/flotilla-dev/flotilla/services/cache/rfc9111"
)

// MaxVariants bounds the variants of one resource: a Vary on a field with endless values must not grow one
// entry without end. The oldest goes.
const MaxVariants = 16

// Options are the limits of a store.
type Options struct {
	// Memory is the bytes that all resources together may be accounted for.
	Memory int64
	// MaxBans bounds the list of bans.
	MaxBans int
	// Validation is how long past its freshness an object with a validator is kept, because a 304 is
	// cheaper than the whole.
	Validation time.Duration
	// Evicted, if set, is called for each entry that went because the memory was full.
	Evicted func()
}

// Store is safe for concurrent use. Make it with [New].
type Store struct {
	cache      *otter.Cache[string, *Resource]
	bans       banList
	fetching   fetching
	validation time.Duration
}

// New makes an empty store.
func New(o Options) (*Store, error) {
	cache, err := otter.New(&otter.Options[string, *Resource]{
		MaximumWeight: uint64(o.Memory),
		Weigher:       func(_ string, r *Resource) uint32 { return r.weight },
		OnAtomicDeletion: func(e otter.DeletionEvent[string, *Resource]) {
			if e.WasEvicted() && o.Evicted != nil {
				o.Evicted()
			}
		},
	})
	if err != nil {
		return nil, err
	}
	s := &Store{cache: cache, validation: o.Validation}
	s.bans.limit = max(1, o.MaxBans)
	return s, nil
}

// Close ends the store's background work.
func (s *Store) Close() { s.cache.StopAllGoroutines() }

// Get returns what is known of a resource, or nil. The key may live in a buffer that is reused later.
func (s *Store) Get(key string) *Resource {
	r, _ := s.cache.GetIfPresent(key)
	return r
}

// Usable reports whether no ban hits the object. It is one comparison unless bans were added since.
func (s *Store) Usable(key string, o *Object) bool { return s.bans.survives(key, o) }

// Put stores an object in the place of those that answer the same requests, and ends hit-for-miss.
func (s *Store) Put(key string, o *Object) {
	s.cache.Compute(key, func(old *Resource, found bool) (*Resource, otter.ComputeOp) {
		next := &Resource{Variants: []*Object{o}}
		if found {
			next.Variants = appendOthers(next.Variants, old.Variants, o)
		}
		next.weight = weigh(key, next)
		return next, otter.WriteOp
	})
}

// Replace exchanges old for o, as after a 304. It does nothing when old has gone meanwhile.
func (s *Store) Replace(key string, old, o *Object) {
	s.cache.ComputeIfPresent(key, func(r *Resource) (*Resource, otter.ComputeOp) {
		if !slices.Contains(r.Variants, old) {
			return nil, otter.CancelOp
		}
		next := &Resource{MissUntil: r.MissUntil, Variants: appendOthers([]*Object{o}, r.Variants, o)}
		next.weight = weigh(key, next)
		return next, otter.WriteOp
	})
}

// Remove takes one object out of its resource.
func (s *Store) Remove(key string, o *Object) {
	s.cache.ComputeIfPresent(key, func(r *Resource) (*Resource, otter.ComputeOp) {
		i := slices.Index(r.Variants, o)
		if i < 0 {
			return nil, otter.CancelOp
		}
		next := &Resource{MissUntil: r.MissUntil, Variants: slices.Delete(slices.Clone(r.Variants), i, i+1)}
		next.weight = weigh(key, next)
		return next, otter.WriteOp
	})
}

// appendOthers appends the variants that answer other requests than o does.
func appendOthers(to, from []*Object, o *Object) []*Object {
	for _, v := range from {
		if len(to) < MaxVariants && !(v.Parts == o.Parts && sameFields(v.Selecting, o.Selecting)) {
			to = append(to, v)
		}
	}
	return to
}

func sameFields(a, b []rfc9111.Field) bool { return slices.Equal(a, b) }

// MarkMiss remembers that answers for this resource cannot be stored at present. The variants stay.
func (s *Store) MarkMiss(key string, until time.Time) {
	s.cache.Compute(key, func(old *Resource, found bool) (*Resource, otter.ComputeOp) {
		next := &Resource{MissUntil: until}
		if found {
			next.Variants = old.Variants
		}
		next.weight = weigh(key, next)
		return next, otter.WriteOp
	})
}

// Purge removes all variants of a resource and reports whether there was one.
func (s *Store) Purge(key string) bool {
	_, found := s.cache.Invalidate(key)
	return found
}

// Len is the number of resources, and Weight the bytes that they are accounted for.
func (s *Store) Len() int { return s.cache.EstimatedSize() }

// Weight is the bytes accounted for.
func (s *Store) Weight() uint64 { return s.cache.WeightedSize() }

package store

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Ban describes objects that must not be used any more. All conditions that are set must hold.
type Ban struct {
	// Host, if not empty, is the host that the object belongs to.
	Host string
	// Pattern, if not nil, is searched in path and query.
	Pattern *regexp.Regexp
	// Tag, if not empty, is a surrogate key of the object.
	Tag string

	number uint64
}

// banList holds the bans that some object may not have seen.
type banList struct {
	mu     sync.Mutex // serialises changes
	limit  int
	latest atomic.Uint64
	list   atomic.Pointer[[]Ban] // ascending numbers; replaced, never changed
}

func (l *banList) current() []Ban {
	if p := l.list.Load(); p != nil {
		return *p
	}
	return nil
}

// survives checks the object against the bans that are newer than its last check.
func (l *banList) survives(key string, o *Object) bool {
	latest := l.latest.Load()
	seen := o.checked.Load()
	if seen >= latest {
		return true
	}
	bans := l.current()
	for i := len(bans) - 1; i >= 0 && bans[i].number > seen; i-- {
		if bans[i].hits(key, o) {
			return false
		}
	}
	// A list read after latest holds every ban up to latest, unless it was retired after all stored
	// objects had seen it.
	o.checked.CompareAndSwap(seen, latest)
	return true
}

func (b *Ban) hits(key string, o *Object) bool {
	host, target := SplitKey(key)
	if b.Host != "" && !strings.EqualFold(b.Host, host) {
		return false
	}
	if b.Tag != "" && !slices.Contains(o.Tags, b.Tag) {
		return false
	}
	return b.Pattern == nil || b.Pattern.MatchString(target)
}

// LatestBan is the number that an object fetched from now on is born with.
func (s *Store) LatestBan() uint64 { return s.bans.latest.Load() }

// Bans is the length of the list.
func (s *Store) Bans() int { return len(s.bans.current()) }

// Ban adds a ban; every object stored before is subject to it from the moment that Ban returns. With the
// list full, the whole store is walked first.
func (s *Store) Ban(b Ban) {
	s.bans.mu.Lock()
	defer s.bans.mu.Unlock()
	if len(s.bans.current()) >= s.bans.limit {
		s.sweepLocked(time.Now())
	}
	b.number = s.bans.latest.Load() + 1
	next := append(slices.Clone(s.bans.current()), b)
	s.bans.list.Store(&next)
	s.bans.latest.Store(b.number)
}

// Sweep walks the store once: removes what a ban hits or what is past any use, and retires the bans. It
// returns how many resources lost a variant.
func (s *Store) Sweep(now time.Time) int {
	s.bans.mu.Lock()
	defer s.bans.mu.Unlock()
	return s.sweepLocked(now)
}

// sweepLocked retires all bans that existed when the walk began. An object that was being fetched then and
// is stored afterwards was born before these bans: the oldest fetch under way holds them back.
func (s *Store) sweepLocked(now time.Time) int {
	upTo := s.fetching.oldest(s.bans.latest.Load()) // before the walk: what is stored behind its back waits
	changed := 0
	for key, r := range s.cache.All() {
		keep := s.live(key, r, now)
		if len(keep) == len(r.Variants) && (len(keep) > 0 || now.Before(r.MissUntil)) {
			continue
		}
		s.drop(key, r, keep, now)
		changed++
	}
	s.bans.retire(upTo)
	return changed
}

// live lists the variants that survive the bans and can still be of use.
func (s *Store) live(key string, r *Resource, now time.Time) []*Object {
	keep := make([]*Object, 0, len(r.Variants))
	for _, o := range r.Variants {
		if s.bans.survives(key, o) && now.Sub(o.Meta.ResponseTime) < o.Meta.Keep(s.validation) {
			keep = append(keep, o)
		}
	}
	return keep
}

// drop leaves only keep of a resource, unless it was changed meanwhile: then the next sweep sees to it.
func (s *Store) drop(key string, seen *Resource, keep []*Object, now time.Time) {
	s.cache.ComputeIfPresent(key, replaceIf(key, seen, keep, now))
}

// retire removes the bans with a number up to the given one.
func (l *banList) retire(upTo uint64) {
	list := l.current()
	i := 0
	for i < len(list) && list[i].number <= upTo {
		i++
	}
	if i > 0 {
		rest := slices.Clone(list[i:])
		l.list.Store(&rest)
	}
}

// Lurk sweeps every interval until ctx ends.
func (s *Store) Lurk(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			s.Sweep(now)
		}
	}
}

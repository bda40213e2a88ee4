package memcached

import (
	"sync"
	"time"

	"github.com/flotilla-dev/flotilla/internal/tcpserve"
)

// store holds items by key and in the order of their use. Its lock is held by
// whoever calls it: most commands do more than one thing to an item at once.
type store struct {
	sync.Mutex
	limit   int64 // bytes of all items
	maxItem int   // bytes of one
	now     func() time.Time

	items          map[string]*item
	newest, oldest *item
	bytes          int64
	lastCAS        uint64
	flush          time.Time // when what was stored before is forgotten; zero: never
	stats          stats
}

func newStore(limit int64, maxItem int, now func() time.Time) *store {
	return &store{limit: limit, maxItem: maxItem, now: now, items: map[string]*item{}, stats: stats{conns: new(tcpserve.Server)}}
}

// find returns the item under a key, or nil.
func (s *store) find(key []byte, now time.Time) *item {
	s.passTime(now)
	it := s.items[string(key)]
	if it == nil {
		return nil
	}
	if it.dead(now) {
		s.stats.expired++
		s.remove(it)
		return nil
	}
	return it
}

// use notes that an item was read.
func (s *store) use(it *item, now time.Time) {
	it.fetched = true
	s.bump(it, now)
}

// bump makes an item the most recently used one.
func (s *store) bump(it *item, now time.Time) {
	it.accessed = now
	s.detach(it)
	s.attach(it)
}

// put stores an item under its key, in place of another one there may be, gives
// it a new CAS value, and makes room.
func (s *store) put(it *item, now time.Time) {
	if old := s.items[it.key]; old != nil {
		s.remove(old)
	}
	it.cas, it.stored, it.accessed = s.nextCAS(), now, now
	s.items[it.key] = it
	s.bytes += it.footprint()
	s.attach(it)
	s.stats.stored++
	for s.bytes > s.limit && s.oldest != it {
		if !s.oldest.dead(now) {
			s.stats.evictions++
		}
		s.remove(s.oldest)
	}
}

// rewrite gives an item that is in the store another value of the same length.
func (s *store) rewrite(it *item, value []byte, now time.Time) {
	it.value, it.cas = value, s.nextCAS()
	s.bump(it, now)
}

func (s *store) remove(it *item) {
	delete(s.items, it.key)
	s.bytes -= it.footprint()
	s.detach(it)
}

// fits tells whether an item would not be too large.
func (s *store) fits(key, value int) bool { return size(key, value) <= s.maxItem }

func (s *store) nextCAS() uint64 {
	s.lastCAS++
	return s.lastCAS
}

// flushAt forgets, at a time, what was stored before it.
func (s *store) flushAt(when, now time.Time) {
	s.stats.flushes++
	s.flush = when
	s.passTime(now)
}

// passTime does the delayed flush when its time has come.
func (s *store) passTime(now time.Time) {
	if s.flush.IsZero() || now.Before(s.flush) {
		return
	}
	for _, it := range s.items {
		if !it.stored.After(s.flush) {
			s.remove(it)
		}
	}
	s.flush = time.Time{}
}

func (s *store) attach(it *item) {
	it.older, it.newer = s.newest, nil
	if s.newest != nil {
		s.newest.newer = it
	}
	s.newest = it
	if s.oldest == nil {
		s.oldest = it
	}
}

func (s *store) detach(it *item) {
	if it.newer != nil {
		it.newer.older = it.older
	} else {
		s.newest = it.older
	}
	if it.older != nil {
		it.older.newer = it.newer
	} else {
		s.oldest = it.newer
	}
	it.newer, it.older = nil, nil
}

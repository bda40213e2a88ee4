package limit

import (
	"sync"
	"time"
)

// shards divides the entries so that requests of different clients seldom meet at a lock. A power of two.
const shards = 64

// forgetAfter is after how much silence an entry may be forgotten at the latest.
const forgetAfter = 10 * time.Second

// lookBack is how many of the least recently used entries are considered for making room.
const lookBack = 4

// shard is a part of the entries, in the order of their use.
type shard struct {
	mu      sync.Mutex // guards all below, and the entries
	entries map[key]*entry
	newest  *entry
	oldest  *entry
	bound   int // of tracked entries
	tracked int
	_       [24]byte // keeps neighbours off this cache line
}

// find returns the entry of an identity, which becomes the newest.
func (s *shard) find(k key) *entry {
	e := s.entries[k]
	if e != nil && !e.pinned && e != s.newest {
		s.unlink(e)
		s.link(e)
	}
	return e
}

// room returns an entry to be reset: a new one while the bound allows, else the oldest that is idle, else nil.
// So newcomers cannot drive out those who are active: a flood from many addresses limits itself.
func (s *shard) room(now time.Duration) (e *entry, evicted bool) {
	if s.tracked < s.bound {
		s.tracked++
		return new(entry), false
	}
	e = s.oldest
	for i := 0; i < lookBack && e != nil; i++ {
		if e.idle(now) {
			s.unlink(e)
			delete(s.entries, e.key)
			return e, true
		}
		e = e.prev
	}
	return nil, false
}

func (s *shard) add(e *entry) {
	s.entries[e.key] = e
	if !e.pinned {
		s.link(e)
	}
}

// link makes e the newest; prev leads to newer entries, next to older ones.
func (s *shard) link(e *entry) {
	e.prev, e.next = nil, s.newest
	if s.newest != nil {
		s.newest.prev = e
	}
	s.newest = e
	if s.oldest == nil {
		s.oldest = e
	}
}

func (s *shard) unlink(e *entry) {
	if e.prev != nil {
		e.prev.next = e.next
	} else {
		s.newest = e.next
	}
	if e.next != nil {
		e.next.prev = e.prev
	} else {
		s.oldest = e.prev
	}
	e.prev, e.next = nil, nil
}

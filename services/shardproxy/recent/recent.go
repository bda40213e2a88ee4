// Package recent keeps a bounded sample of the keys that were seen lately: a uniform one
// of different keys, however often each is asked for, so that it tells how many keys, or
// sessions, there are and where they would move (Gibbons and Tirthapura, 2001).
//
// A key is in the sample when its hash begins with as many zeros as the level says. When
// there is no room the level rises, and half of the keys leave. So each key in it stands
// for 2^level of them. Keys themselves, which may be secrets, are not kept, only hashes.
package recent

import (
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flotilla-dev/flotilla/services/shardproxy/layout"
)

// A Sample is safe for concurrent use.
type Sample struct {
	capacity int
	keep     time.Duration
	clock    func() time.Time
	level    atomic.Int32 // read before the lock: most keys need none

	mu      sync.Mutex // guards the rest, and that level is set
	keys    map[uint64]*seen
	lowered time.Time // when the level last fell
}

type seen struct {
	crc      uint32
	requests uint64
	last     time.Time
}

// New returns a sample of at most capacity keys that were seen within keep. clock is
// time.Now where it is nil.
func New(capacity int, keep time.Duration, clock func() time.Time) *Sample {
	if clock == nil {
		clock = time.Now
	}
	return &Sample{capacity: capacity, keep: keep, clock: clock, keys: make(map[uint64]*seen)}
}

// rank is how high the level may be with this key in the sample. Placements use the hash
// itself, so it is mixed: a sample must not favour a shard.
func rank(h layout.Hash) int32 {
	x := h.XXH64 ^ 0x5851f42d4c957f2d
	x = (x ^ x>>33) * 0xff51afd7ed558ccd
	x = (x ^ x>>33) * 0xc4ceb9fe1a85ec53
	return int32(bits.LeadingZeros64(x ^ x>>33))
}

// See counts a request for a key.
func (s *Sample) See(h layout.Hash) {
	r := rank(h)
	if r < s.level.Load() {
		return
	}
	now := s.clock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.keys[h.XXH64]; known != nil {
		known.requests++
		known.last = now
		return
	}
	if len(s.keys) >= s.capacity {
		s.makeRoom(now)
	}
	if r >= s.level.Load() {
		s.keys[h.XXH64] = &seen{crc: h.CRC32, requests: 1, last: now}
	}
}

// makeRoom removes what is old, and then raises the level until a quarter is free. s.mu is
// held.
func (s *Sample) makeRoom(now time.Time) {
	s.expire(now)
	for len(s.keys) >= s.capacity-s.capacity/4 && s.level.Load() < 64 {
		level := s.level.Add(1)
		for hash, k := range s.keys {
			if rank(layout.Hash{CRC32: k.crc, XXH64: hash}) < level {
				delete(s.keys, hash)
			}
		}
	}
}

func (s *Sample) expire(now time.Time) {
	for hash, k := range s.keys {
		if now.Sub(k.last) > s.keep {
			delete(s.keys, hash)
		}
	}
}

// A Key is one of the sample.
type Key struct {
	layout.Hash
	Requests uint64
}

// Keys returns the sample, and how many keys each of them stands for.
func (s *Sample) Keys() (keys []Key, each float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock()
	s.expire(now)
	level := s.level.Load()
	if s.lowered.Add(s.keep).After(now) {
		level++ // those that the lower level lets in are not all here yet
	} else if level > 0 && len(s.keys) < s.capacity/4 {
		s.level.Add(-1) // there is room again for what was left out
		s.lowered = now
	}
	keys = make([]Key, 0, len(s.keys))
	for hash, k := range s.keys {
		h := layout.Hash{CRC32: k.crc, XXH64: hash}
		if rank(h) >= level {
			keys = append(keys, Key{h, k.requests})
		}
	}
	return keys, float64(uint64(1) << min(level, 63))
}

// Forget empties the sample: keys are made in another way from now on.
func (s *Sample) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.keys)
	s.level.Store(0)
	s.lowered = time.Time{}
}

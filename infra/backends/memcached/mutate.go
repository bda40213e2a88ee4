package memcached

import (
	"bytes"
	"strconv"
	"time"
)

// mode is what a storage command does.
type mode int

const (
	modeSet mode = iota
	modeAdd
	modeReplace
	modeAppend
	modePrepend
	modeCAS
)

// result is how a storage command ends.
type result int

const (
	stored result = iota
	notStored
	exists
	notFound
)

// update is what a storage command asks for.
type update struct {
	mode       mode
	key        []byte
	flags      uint32
	expires    time.Time
	cas        uint64 // that the item must have; 0: any
	invalidate bool   // store over a newer item too, but mark it stale
	binary     bool
}

// store applies a storage command, and returns the new CAS value.
func (s *store) store(u update, value []byte, now time.Time) (result, uint64) {
	it := &item{key: string(u.key), value: value, flags: u.flags, expires: u.expires, binary: u.binary}
	old := s.find(u.key, now)
	s.stats.sets++
	if old == nil {
		switch u.mode {
		case modeSet, modeAdd:
			s.put(it, now)
			return stored, it.cas
		case modeCAS:
			s.stats.casMisses++
			return notFound, 0
		}
		return notStored, 0
	}
	switch u.mode {
	case modeAdd:
		s.bump(old, now) // a key that somebody wanted to add is in use
		return notStored, 0
	case modeCAS:
		if r := s.compare(u, it, old); r != stored {
			return r, 0
		}
	case modeAppend, modePrepend:
		if u.cas != 0 && u.cas != old.cas {
			return exists, 0
		}
		if !s.fits(len(u.key), len(old.value)+len(value)) {
			return notStored, 0
		}
		it.value = joined(u.mode, old.value, value)
		it.flags, it.expires, it.binary = old.flags, old.expires, false
	}
	s.put(it, now)
	return stored, it.cas
}

// compare decides a check-and-set.
func (s *store) compare(u update, it, old *item) result {
	switch {
	case u.cas != 0 && u.cas == old.cas:
	case u.cas != 0 && u.invalidate && u.cas < old.cas:
		it.expires, it.stale, it.won = old.expires, true, old.won
	default:
		s.stats.casBad++
		return exists
	}
	s.stats.casHits++
	return stored
}

func joined(m mode, old, value []byte) []byte {
	if m == modePrepend {
		old, value = value, old
	}
	return append(append(make([]byte, 0, len(old)+len(value)), old...), value...)
}

// add adds to, or subtracts from, the number that an item holds. The number may
// wrap above and stops at zero below. A shorter one keeps the length of the one
// before it, filled up with spaces, as in memcached.
func (s *store) add(it *item, delta uint64, decrement bool, now time.Time) (*item, []byte, bool) {
	n, ok := parseUint(it.value, 64)
	if !ok {
		return nil, nil, false
	}
	switch {
	case !decrement:
		n += delta
	case delta > n:
		n = 0
	default:
		n -= delta
	}
	digits := strconv.AppendUint(nil, n, 10)
	if len(digits) > len(it.value) {
		longer := &item{key: it.key, value: digits, flags: it.flags, expires: it.expires}
		s.put(longer, now)
		return longer, digits, true
	}
	padded := append(append(make([]byte, 0, len(it.value)), digits...), bytes.Repeat([]byte{' '}, len(it.value)-len(digits))...)
	s.rewrite(it, padded, now)
	return it, digits, true
}

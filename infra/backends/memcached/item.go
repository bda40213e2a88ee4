package memcached

import "time"

// item is a value under a key. A value is never changed in place: who has read
// it under the store's lock may send it after.
type item struct {
	key      string
	value    []byte
	flags    uint32
	cas      uint64
	expires  time.Time // zero: never
	stored   time.Time
	accessed time.Time

	fetched bool // was read since it was stored
	binary  bool // its key was given in base64, and is given back so
	stale   bool // marked by md I; see the meta commands
	won     bool // some client was told to recache it

	newer, older *item // neighbours in the order of use
}

// header is what memcached counts of an item beside its key and value: it bounds
// the size of one item.
const header = 59

func size(key, value int) int { return header + key + value }

func (it *item) size() int { return size(len(it.key), len(it.value)) }

// footprint is what an item really takes of this process: with the struct above
// and its place in a map. It bounds the size of all items.
func (it *item) footprint() int64 { return int64(it.size() + 160) }

// ttl is the rest of its life in seconds, or -1 for one without end. A begun
// second counts.
func (it *item) ttl(now time.Time) int64 {
	if it.expires.IsZero() {
		return -1
	}
	return max(0, int64((it.expires.Sub(now)+time.Second-1)/time.Second))
}

// dead tells whether the item has expired.
func (it *item) dead(now time.Time) bool { return !it.expires.IsZero() && !now.Before(it.expires) }

// maxRelative is the longest expiry that counts from now on; a larger number is
// a point in Unix time.
const maxRelative = 30 * 24 * 60 * 60

// deadline is when an item with such an expiry ends. Zero is never, and what is
// negative has ended already.
func deadline(now time.Time, exptime int32) time.Time {
	switch {
	case exptime == 0:
		return time.Time{}
	case exptime < 0:
		return now
	case exptime > maxRelative:
		return time.Unix(int64(exptime), 0)
	}
	return now.Add(time.Duration(exptime) * time.Second)
}

package ring

// A Walk goes round the ring from a key's place and meets each member once: the
// owner first, then those who would own the key if all before them had left.
// That order is what makes fallback consistent too: all callers agree on the
// stand-in, and the keys of a lost member are spread over all the others.
type Walk struct {
	ring *Ring
	at   int // next point
	left int // members not met yet
	seen [MaxMembers / 64]uint64
}

// From begins a walk at key. The value belongs to one goroutine.
func (r *Ring) From(key string) Walk {
	if r.Len() == 0 {
		return Walk{}
	}
	return Walk{ring: r, at: r.seek(key), left: len(r.names)}
}

// Next returns the index (in the order given to New) of the next member, or
// false when all were met.
func (w *Walk) Next() (int, bool) {
	if w.left == 0 {
		return 0, false
	}
	for {
		member := int(w.ring.owners[w.at])
		w.at++
		if w.at == len(w.ring.owners) {
			w.at = 0
		}
		if bit := uint64(1) << (member % 64); w.seen[member/64]&bit == 0 {
			w.seen[member/64] |= bit
			w.left--
			return member, true
		}
	}
}

package sharding

import (
	"math/rand/v2"
	"slices"
)

// modula is the remainder of the hash: fair, and when one server joins or leaves
// nearly every key moves.
type modula struct {
	ends   []uint32 // ends[i] is the first slot after those of owners[i]
	owners []uint16
}

func newModula(servers []Server) Distribution {
	m := &modula{}
	end := uint32(0)
	for i, s := range servers {
		if s.Weight > 0 {
			end += uint32(s.Weight)
			m.ends = append(m.ends, end)
			m.owners = append(m.owners, uint16(i))
		}
	}
	return m
}

func (m *modula) Pick(hash uint64) int {
	if len(m.ends) == 0 {
		return -1
	}
	slot := uint32(hash % uint64(m.ends[len(m.ends)-1]))
	at, exact := slices.BinarySearch(m.ends, slot)
	if exact {
		at++ // slot is the first of the next server
	}
	return int(m.owners[at])
}

// random ignores the hash and the weights: for servers that all hold the same.
type random []uint16

func newRandom(servers []Server) Distribution {
	var r random
	for i, s := range servers {
		if s.Weight > 0 {
			r = append(r, uint16(i))
		}
	}
	return r
}

func (r random) Pick(uint64) int {
	if len(r) == 0 {
		return -1
	}
	return int(r[rand.IntN(len(r))])
}

package sharding

import (
	"cmp"
	"slices"
)

// maglev is a table of which each server claims slots in turn, in an order of its own.
// Shares are as even as a table allows; when a server joins or leaves, a few keys move
// between the others too.
type maglev []uint16

// The tables are primes, so that every skip reaches every slot; the paper wants a
// hundred slots for each server.
const (
	smallTable = 65_537
	largeTable = 1_638_431 // for MaxTotal servers
)

const unclaimed = 1<<16 - 1 // no index is as large: see MaxTotal

func newMaglev(servers []Server) Order {
	var claims []*claimant
	heaviest := 0
	size := uint64(smallTable)
	if len(servers)*100 > smallTable {
		size = largeTable
	}
	for i, s := range servers {
		if s.Weight > 0 {
			a := seed(s.Name)
			claims = append(claims, &claimant{server: uint16(i), weight: s.Weight, at: a % size, skip: mix(a)%(size-1) + 1})
			heaviest = max(heaviest, s.Weight)
		}
	}
	if len(claims) == 0 {
		return maglev(nil)
	}
	// Turns are in the order of names, as everybody has to fill in the same table, however he learnt the servers.
	slices.SortFunc(claims, func(a, b *claimant) int { return cmp.Compare(servers[a.server].Name, servers[b.server].Name) })
	table := make(maglev, size)
	for i := range table {
		table[i] = unclaimed
	}
	for left := len(table); ; {
		for _, c := range claims {
			// One of half the weight of the heaviest has every second turn.
			if c.credit += c.weight; c.credit < heaviest {
				continue
			}
			c.credit -= heaviest
			c.claim(table)
			if left--; left == 0 {
				return table
			}
		}
	}
}

type claimant struct {
	server   uint16
	weight   int
	credit   int
	at, skip uint64 // the next slot that it wants, and how far away the one after it is
}

func (c *claimant) claim(table maglev) {
	for table[c.at] != unclaimed {
		c.at = (c.at + c.skip) % uint64(len(table))
	}
	table[c.at] = c.server
}

func (m maglev) First(hash uint64, ok func(int) bool) int {
	if len(m) == 0 {
		return -1
	}
	at := int(mix(hash) % uint64(len(m)))
	if ok == nil {
		return int(m[at])
	}
	return walk(at, len(m), func(at int) int { return int(m[at]) }, ok)
}

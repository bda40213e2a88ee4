package sharding

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// An Order puts servers into an order for the hash of a key: the one it belongs to, and
// then those who stand in while it is gone. Everybody who knows the same servers has the
// same order. It never changes; a look-up needs no lock and allocates nothing.
type Order interface {
	// First returns the index of the first server for which ok is true, or -1 where it
	// is true for none. A nil ok is true for all.
	First(hash uint64, ok func(server int) bool) int
}

// NewOrder builds the order with a name:
//
//	modulo      the remainder of the hash; when a server joins or leaves, nearly every key moves
//	ketama      points on a circle, as libmemcached and twemproxy place them (Richard Jones, 2007)
//	nginx       points on a circle, as "hash … consistent" of nginx places them
//	jump        no table at all; servers come and go at the end of the list only (Lamping and Veach, 2014)
//	rendezvous  every server bids for every key (Thaler and Ravishankar, 1998)
//	maglev      a table that is filled in turns (Eisenbud and others, 2016)
//
// modulo and jump number the servers: everybody has to list them in the same order. The others place by
// name; the list decides only where two points of ketama or nginx are at one place, as it does in the originals.
//
// The hash of a key for nginx is the function CRC32; others take any that is spread over
// 64 bits, and ketama the low 32.
func NewOrder(name string, servers []Server) (Order, error) {
	build, known := orders[name]
	if !known {
		return nil, fmt.Errorf("%q is no order: want one of %s", name, strings.Join(OrderNames(), ", "))
	}
	if err := check(servers); err != nil {
		return nil, err
	}
	total := 0
	seen := make(map[string]bool, len(servers))
	for _, s := range servers {
		if seen[s.Name] {
			return nil, fmt.Errorf("server %q is there twice", s.Name)
		}
		seen[s.Name] = true
		total += s.Weight
	}
	if total > MaxTotal {
		return nil, fmt.Errorf("the weights add up to %d, at most %d are possible: divide them all", total, MaxTotal)
	}
	return build(servers), nil
}

// MaxTotal bounds the sum of weights in an order, and with it the size of its table.
const MaxTotal = 1 << 14

// OrderNames lists the names that NewOrder knows, sorted.
func OrderNames() []string { return slices.Sorted(maps.Keys(orders)) }

var orders = map[string]func([]Server) Order{
	"modulo":     newModulo,
	"ketama":     func(s []Server) Order { return newKetama(s).(*ketama) },
	"nginx":      newNginx,
	"jump":       newJump,
	"rendezvous": newRendezvous,
	"maglev":     newMaglev,
}

// mix spreads a number over 64 bits: the finalizer of SplitMix64 (Steele, Lea and Flood,
// 2014), under which every bit of the input changes half of those of the output.
func mix(h uint64) uint64 {
	h += 0x9e3779b97f4a7c15
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

// slots has an entry for each unit of a server's weight.
func slots(servers []Server) []uint16 {
	var all []uint16
	for i, s := range servers {
		for range s.Weight {
			all = append(all, uint16(i))
		}
	}
	return all
}

// walk asks n owners in turn, from one on and round.
func walk(from, n int, owner func(at int) int, ok func(int) bool) int {
	for i := range n {
		if server := owner((from + i) % n); ok(server) {
			return server
		}
	}
	return -1
}

// First implements Order: it walks on along the circle.
func (k *ketama) First(hash uint64, ok func(int) bool) int {
	if ok == nil || len(k.points) == 0 {
		return k.Pick(hash)
	}
	return walk(k.find(hash), len(k.points), func(at int) int { return int(k.owners[at]) }, ok)
}

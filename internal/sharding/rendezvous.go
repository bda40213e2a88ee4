package sharding

import (
	"hash/fnv"
	"math"
)

// rendezvous gives a key to the server with the highest bid for it, which is a number
// made of both. It needs no table, takes a time that grows with the servers, and shares
// the keys of one that is gone out among all others.
type rendezvous struct {
	bidders []bidder
	equal   bool // all weights are the same: the highest number wins as it is
}

type bidder struct {
	server int
	seed   uint64
	weight float64
}

func newRendezvous(servers []Server) Order {
	r := &rendezvous{equal: true}
	for i, s := range servers {
		if s.Weight == 0 {
			continue
		}
		r.bidders = append(r.bidders, bidder{i, seed(s.Name), float64(s.Weight)})
		r.equal = r.equal && r.bidders[0].weight == float64(s.Weight)
	}
	return r
}

// seed makes a number of a name.
func seed(name string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // never fails
	return mix(h.Sum64())
}

func (r *rendezvous) First(hash uint64, ok func(int) bool) int {
	best, server := 0.0, -1
	most := uint64(0)
	for _, b := range r.bidders {
		if ok != nil && !ok(b.server) {
			continue
		}
		n := mix(hash ^ b.seed)
		switch {
		case r.equal && (server < 0 || n > most):
			most, server = n, b.server
		case !r.equal:
			// The bids of weight w are the smallest of w exponentially distributed ones
			// (Schindelhauer and Schomaker, 2005): shares are as weights, and when one
			// changes, keys move to or from its server alone.
			u := (float64(n>>11) + 0.5) / (1 << 53)
			if bid := b.weight / -math.Log(u); server < 0 || bid > best {
				best, server = bid, b.server
			}
		}
	}
	return server
}

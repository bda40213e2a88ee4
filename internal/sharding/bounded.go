package sharding

import "math"

// Bounded keeps every server's load below a bound, whatever keys are popular: a key
// belongs to the first server of its order whose load is less than factor times its
// share of all ("Consistent hashing with bounded loads", Mirrokni, Thorup and
// Zadimoghaddam, 2018). While loads are even, nothing is placed otherwise.
type Bounded struct {
	order  Order
	shares []float64 // of all, by weight
	factor float64
}

// NewBounded bounds the loads of the servers that order was built from. factor is at
// least 1; the paper's examples are 1.25 and 2.
func NewBounded(order Order, servers []Server, factor float64) *Bounded {
	b := &Bounded{order: order, factor: max(factor, 1), shares: make([]float64, len(servers))}
	total := 0
	for _, s := range servers {
		total += s.Weight
	}
	for i, s := range servers {
		b.shares[i] = float64(s.Weight) / float64(max(total, 1))
	}
	return b
}

// First returns the index of the server that takes one more, or -1 where ok is true for
// none. load is what a server has now, all is the sum of them.
func (b *Bounded) First(hash uint64, all int64, load func(server int) int64, ok func(server int) bool) int {
	fits := func(i int) bool {
		return (ok == nil || ok(i)) && float64(load(i)) < math.Ceil(b.factor*float64(all+1)*b.shares[i])
	}
	if server := b.order.First(hash, fits); server >= 0 {
		return server
	}
	return b.order.First(hash, ok) // those that are there cannot take their shares of what is gone
}

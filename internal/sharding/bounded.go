package sharding

import (
	"math"
	"sync"
)

// Bounded keeps every server's load below a bound, whatever keys are popular: a key
// belongs to the first server of its order whose load is less than factor times its
// share of all ("Consistent hashing with bounded loads", Mirrokni, Thorup and
// Zadimoghaddam, 2018). While loads are even, nothing is placed otherwise.
//
// Shares are those among the servers that are there: were they of all, the rest could not
// take what a gone one leaves, and a popular key would be bounded by nothing.
type Bounded struct {
	order   Order
	weights []float64
	total   float64
	factor  float64
	asks    sync.Pool // of *ask: a filter that is made anew for each look-up would be an allocation for each
}

// NewBounded bounds the loads of the servers that order was built from. factor is at
// least 1; the paper's examples are 1.25 and 2.
func NewBounded(order Order, servers []Server, factor float64) *Bounded {
	b := &Bounded{order: order, factor: max(factor, 1), weights: make([]float64, len(servers))}
	for i, s := range servers {
		b.weights[i] = float64(s.Weight)
		b.total += b.weights[i]
	}
	b.asks.New = func() any {
		a := &ask{weights: b.weights}
		a.fits = a.check
		return a
	}
	return b
}

// First returns the index of the server that takes one more, or -1 where ok is true for
// none. load is what a server has now, all is the sum of them.
func (b *Bounded) First(hash uint64, all int64, load func(server int) int64, ok func(server int) bool) int {
	there := b.total
	if ok != nil {
		there = 0
		for i, weight := range b.weights {
			if weight > 0 && ok(i) {
				there += weight
			}
		}
	}
	a := b.asks.Get().(*ask)
	a.load, a.ok, a.each = load, ok, b.factor*float64(all+1)/max(there, 1)
	server := b.order.First(hash, a.fits)
	a.load, a.ok = nil, nil
	b.asks.Put(a)
	if server < 0 {
		// Loads changed while they were read, or none is there.
		return b.order.First(hash, ok)
	}
	return server
}

// An ask is one look-up.
type ask struct {
	weights []float64
	load    func(int) int64
	ok      func(int) bool
	each    float64 // bound of a unit of weight
	fits    func(int) bool
}

func (a *ask) check(server int) bool {
	return (a.ok == nil || a.ok(server)) && float64(a.load(server)) < math.Ceil(a.each*a.weights[server])
}

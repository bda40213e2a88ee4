package layout

import (
	"github.com/cespare/xxhash/v2"

	"github.com/flotilla-dev/flotilla/internal/sharding"
)

// A Hash is that of a key, for every function.
type Hash struct {
	CRC32 uint32
	XXH64 uint64
}

// Of hashes a key.
func Of(key []byte) Hash {
	return Hash{CRC32: uint32(sharding.CRC32(key)), XXH64: xxhash.Sum64(key)}
}

// A Placement is a layout at work: it never changes, needs no lock, and a look-up
// allocates nothing but for what its caller does.
type Placement struct {
	*Layout
	order   sharding.Order
	bounded *sharding.Bounded
	crc     bool
}

// Place makes the placement of a layout.
func (l *Layout) Place() (*Placement, error) {
	servers := make([]sharding.Server, len(l.Shards))
	for i, s := range l.Shards {
		servers[i] = sharding.Server{Name: s.Name, Weight: s.Weight}
	}
	order, err := sharding.NewOrder(l.Function, servers)
	if err != nil {
		return nil, err
	}
	p := &Placement{Layout: l, order: order, crc: l.Function == "nginx"}
	if l.Bounded > 0 {
		p.bounded = sharding.NewBounded(order, servers, l.Bounded)
	}
	return p, nil
}

func (p *Placement) hash(h Hash) uint64 {
	if p.crc {
		return uint64(h.CRC32)
	}
	return h.XXH64
}

// Owner is the shard that a key belongs to, whether it can serve or not.
func (p *Placement) Owner(h Hash) int { return p.order.First(p.hash(h), nil) }

// First is the first shard in the order of a key for which ok is true, or -1.
func (p *Placement) First(h Hash, ok func(shard int) bool) int { return p.order.First(p.hash(h), ok) }

// Home is the shard that serves a key while all that are not draining can serve and loads
// are even.
func (p *Placement) Home(h Hash) int {
	owner := p.Owner(h)
	if owner >= 0 && !p.Shards[owner].Draining {
		return owner
	}
	return p.First(h, func(i int) bool { return !p.Shards[i].Draining })
}

// Bounds tells whether loads are bounded.
func (p *Placement) Bounds() bool { return p.bounded != nil }

// FirstBelow is First among the shards whose load allows one more request. load is the
// number of requests that a shard has now, all is that of all shards.
func (p *Placement) FirstBelow(h Hash, all int64, load func(shard int) int64, ok func(shard int) bool) int {
	return p.bounded.First(p.hash(h), all, load, ok)
}

// Order lists the shards in the order of a key: its owner, and who stands in for whom.
func (p *Placement) Order(h Hash) []int {
	seen := make([]bool, len(p.Shards))
	order := make([]int, 0, len(p.Shards))
	for len(order) < len(p.Shards) {
		i := p.First(h, func(i int) bool { return !seen[i] })
		if i < 0 {
			break // all of its points are those of others, too
		}
		seen[i] = true
		order = append(order, i)
	}
	return order
}

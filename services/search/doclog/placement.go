package doclog

import (
	"fmt"
	"hash/fnv"
	"strconv"

	"github.com/flotilla-dev/flotilla/internal/sharding"
)

// Placements that there are, of FNV-1a of 64 bits.
const (
	Modulo = "modulo" // the remainder
	Jump   = "jump"   // by which fewer documents move when shards are added
)

// A Placement says which shard a document belongs to, by its id alone.
type Placement struct {
	shards int32
	order  sharding.Order
}

// MaxShards bounds the number of shards.
const MaxShards = 1024

// NewPlacement returns the placement with a name over so many shards.
func NewPlacement(name string, shards int) (*Placement, error) {
	if name != Modulo && name != Jump {
		return nil, fmt.Errorf("%.40q is no placement: want modulo or jump", name)
	}
	if shards < 1 || shards > MaxShards {
		return nil, fmt.Errorf("%d shards: want 1 to %d", shards, MaxShards)
	}
	servers := make([]sharding.Server, shards)
	for i := range servers {
		servers[i] = sharding.Server{Name: strconv.Itoa(i), Weight: 1}
	}
	order, err := sharding.NewOrder(name, servers)
	if err != nil {
		return nil, err
	}
	return &Placement{shards: int32(shards), order: order}, nil
}

// Shards is how many there are.
func (p *Placement) Shards() int32 { return p.shards }

// Of returns the shard of a document.
func (p *Placement) Of(id string) int32 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(id)) // a hash takes everything
	return int32(p.order.First(h.Sum64(), nil))
}

package shard

import (
	"sync/atomic"
	"time"

	"github.com/flotilla-dev/flotilla/ambassadors/redisshard/link"
	"github.com/flotilla-dev/flotilla/internal/nutcracker"
)

// replica is a server that has the data of a shard, a little later, and is asked
// for reads in its place.
type replica struct {
	*Shard
	retry time.Duration
	down  atomic.Int64 // link.Now() until which it is not asked
}

func newReplica(o Options, addr string) *replica {
	o.Server = nutcracker.Server{Name: o.Server.Name, Addr: addr, Weight: 1}
	o.Replicas = nil
	r := &replica{retry: o.ReplicaRetry, Shard: New(o)}
	r.Report(r)
	return r
}

// Succeeded and Failed make it the Health of its server.
func (r *replica) Succeeded() {}
func (r *replica) Failed()    { r.down.Store(int64(link.Now() + r.retry)) }

// Reader returns who is asked for a client's reads: a replica that did not fail
// lately, else the shard itself.
func (s *Shard) Reader(client uint64, now time.Duration) *Shard {
	n := uint64(len(s.replicas))
	for i := range n {
		if r := s.replicas[(client+i)%n]; int64(now) >= r.down.Load() {
			return r.Shard
		}
	}
	return s
}

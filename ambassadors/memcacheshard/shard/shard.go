package shard

import (
	"hash/crc32"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/flotilla-dev/flotilla/ambassadors/memcacheshard/link"
)

// Options of a shard.
type Options struct {
	Name        string
	Servers     []string // addresses of the replicas, at least one
	Connections int      // to each
	Retry       time.Duration
	Link        link.Options // Addr, Failed and Worked are filled in
	Meter       func(server string) *Meter
	Log         *slog.Logger
}

// same tells whether a shard with these options can go on under the others.
func (o Options) same(p Options) bool {
	return o.Name == p.Name && slices.Equal(o.Servers, p.Servers) && o.Connections == p.Connections &&
		o.Retry == p.Retry && o.Link.Timeout == p.Link.Timeout
}

// Health is told how the shard fares as a whole.
type Health interface {
	Succeeded()
	Failed()
}

// Shard is a shard. Its methods may be called by any goroutine.
type Shard struct {
	o        Options
	replicas []*Replica
	health   atomic.Pointer[Health]
}

// New returns a shard that connects when it is asked.
func New(o Options) *Shard {
	s := &Shard{o: o}
	for _, addr := range o.Servers {
		s.replicas = append(s.replicas, newReplica(s, addr))
	}
	return s
}

// Name of the shard in the configuration.
func (s *Shard) Name() string { return s.o.Name }

// Same tells whether the shard is what the options describe.
func (s *Shard) Same(o Options) bool { return s.o.same(o) }

// Report names who is told how the shard fares.
func (s *Shard) Report(h Health) { s.health.Store(&h) }

// Replicas are the servers of the shard, live or not.
func (s *Shard) Replicas() []*Replica { return s.replicas }

// Only is the server of a shard without replicas, else nil.
func (s *Shard) Only() *Replica {
	if len(s.replicas) == 1 {
		return s.replicas[0]
	}
	return nil
}

// Start is where the order of a key's replicas begins.
func (s *Shard) Start(key []byte) int {
	return int(crc32.ChecksumIEEE(key) % uint32(len(s.replicas)))
}

// Order returns the replicas that may be asked for the keys that begin at start,
// in their order: the live ones. Without any it is those that are set aside and
// have missed nothing; what has missed a write is not asked.
func (s *Shard) Order(start int) []*Replica {
	order := make([]*Replica, 0, len(s.replicas))
	for i := range s.replicas {
		if r := s.replicas[(start+i)%len(s.replicas)]; r.Live() {
			order = append(order, r)
		}
	}
	for i := 0; i < len(s.replicas) && len(order) == 0; i++ {
		if r := s.replicas[(start+i)%len(s.replicas)]; r.fresh() {
			order = append(order, r)
		}
	}
	return order
}

// Connect dials all servers.
func (s *Shard) Connect() {
	for _, r := range s.replicas {
		for _, l := range r.links {
			l.Connect()
		}
	}
}

// Waiting is how many requests wait for an answer.
func (s *Shard) Waiting() int {
	n := 0
	for _, r := range s.replicas {
		n += r.Waiting()
	}
	return n
}

// Close ends all connections.
func (s *Shard) Close() {
	for _, r := range s.replicas {
		r.close()
	}
}

func (s *Shard) succeeded() {
	if h := s.health.Load(); h != nil {
		(*h).Succeeded()
	}
}

// failed is called when a server of the shard has failed: the shard has when it
// was the last one.
func (s *Shard) failed() {
	if slices.ContainsFunc(s.replicas, func(r *Replica) bool { return len(s.replicas) > 1 && r.Live() }) {
		return
	}
	if h := s.health.Load(); h != nil {
		(*h).Failed()
	}
}

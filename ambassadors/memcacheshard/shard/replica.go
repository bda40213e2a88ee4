package shard

import (
	"encoding/base64"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flotilla-dev/flotilla/ambassadors/memcacheshard/link"
)

// Replica is one server of a shard.
type Replica struct {
	shard *Shard
	addr  string
	links []*link.Link
	meter *Meter
	state atomic.Int32 // one of those below; always live where it is the only one

	mu     sync.Mutex // guards all below
	missed map[string]struct{}
	all    bool // more was missed than missed can hold
	timer  *time.Timer
	closed bool
}

const (
	live    int32 = iota
	away          // is asked nothing, and misses writes
	healing       // is asked nothing, but has all writes again
)

// MaxMissed is how many keys are noted for a replica that is away.
const MaxMissed = 4096

func newReplica(s *Shard, addr string) *Replica {
	r := &Replica{shard: s, addr: addr, meter: s.o.Meter(addr)}
	o := s.o.Link
	o.Addr, o.Failed, o.Worked = addr, r.failed, r.worked
	connections := max(s.o.Connections, 1)
	if len(s.o.Servers) > 1 {
		connections = 1 // so that all replicas get writes in one order
	}
	for range connections {
		r.links = append(r.links, link.New(o))
	}
	r.meter.watch(r)
	return r
}

// Addr is host:port.
func (r *Replica) Addr() string { return r.addr }

// Live tells whether the replica may be read.
func (r *Replica) Live() bool { return r.state.Load() == live }

// fresh tells whether the replica has missed no write.
func (r *Replica) fresh() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.missed) == 0 && !r.all && r.state.Load() != healing
}

// Writable tells whether the replica is to have writes.
func (r *Replica) Writable() bool { return r.state.Load() != away }

// Link is the connection that serves a client: always the same one, so that its
// commands keep their order.
func (r *Replica) Link(client uint64) *link.Link { return r.links[client%uint64(len(r.links))] }

// Meter counts for the server.
func (r *Replica) Meter() *Meter { return r.meter }

// Waiting is how many requests wait for an answer.
func (r *Replica) Waiting() int {
	n := 0
	for _, l := range r.links {
		n += l.Waiting()
	}
	return n
}

// Connections is how many there are.
func (r *Replica) Connections() int {
	n := 0
	for _, l := range r.links {
		if l.Connected() {
			n++
		}
	}
	return n
}

// worked is told of answers.
func (r *Replica) worked(took []time.Duration) {
	r.meter.took(took)
	r.shard.succeeded()
}

// failed is told of the failure of a connection.
func (r *Replica) failed(reason error) {
	r.meter.failed(reason)
	if len(r.shard.replicas) > 1 {
		r.setAside(reason)
	}
	r.shard.failed()
}

// setAside leaves a replica out until it is healed.
func (r *Replica) setAside(reason error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || r.timer != nil {
		return
	}
	r.state.Store(away)
	r.timer = time.AfterFunc(r.shard.o.Retry, r.heal)
	r.shard.o.Log.Warn("replica set aside", "shard", r.shard.o.Name, "server", r.addr, "because", "it "+reason.Error(), "for", r.shard.o.Retry.String())
}

// Missed notes a write that the replica should have had: its replicas may hold
// something else now, so it must not be read before it is healed.
func (r *Replica) Missed(key []byte, because error) {
	if len(r.shard.replicas) == 1 {
		return
	}
	r.meter.missed.Add(1)
	r.setAside(because)
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.all:
	case len(r.missed) >= MaxMissed:
		r.all, r.missed = true, nil
	default:
		if r.missed == nil {
			r.missed = map[string]struct{}{}
		}
		r.missed[string(key)] = struct{}{}
	}
}

// MissedAll notes a flush_all that the replica should have had.
func (r *Replica) MissedAll(because error) {
	if len(r.shard.replicas) == 1 {
		return
	}
	r.setAside(because)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all, r.missed = true, nil
}

// Forget is the request that deletes a key, in text where that can express it.
func Forget(key []byte) []byte {
	for _, c := range key {
		if c <= ' ' || c == 0x7f {
			return append(base64.StdEncoding.AppendEncode([]byte("md "), key), " b\r\n"...)
		}
	}
	return append(append([]byte("delete "), key...), "\r\n"...)
}

func (r *Replica) close() {
	r.mu.Lock()
	r.closed = true
	if r.timer != nil {
		r.timer.Stop()
	}
	r.mu.Unlock()
	for _, l := range r.links {
		l.Close()
	}
	r.meter.unwatch(r)
}

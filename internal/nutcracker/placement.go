package nutcracker

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flotilla-dev/flotilla/internal/sharding"
)

// Placement is a pool at work. Its methods may be called by any goroutine; a
// pick takes no lock and allocates nothing.
//
// What it does with failures is what twemproxy does: FailureLimit of them in a
// row eject a server for RetryTimeout, and the distribution is built again
// without it; after that time it is back, with no failure counted. While all are
// ejected nothing is picked. Without AutoEject nothing is ever ejected.
type Placement struct {
	pool    Pool
	hash    sharding.Hash
	hooks   Hooks
	now     func() time.Time
	servers []serverState // by index of pool.Servers
	current atomic.Pointer[snapshot]

	mu sync.Mutex // guards ejectedUntil of all servers, and the order of rebuilds
}

// Hooks are told what happens, for logs and metrics. Nil ones are not called.
// They are called with a lock held and must not call the placement.
type Hooks struct {
	Ejected  func(server Server, until time.Time)
	Returned func(server Server)
}

type serverState struct {
	failures     atomic.Int32
	ejectedUntil time.Time // zero: live
}

// snapshot is the distribution of the servers that are live.
type snapshot struct {
	dist sharding.Distribution
	live int
	next time.Time // when the next ejected server comes back; zero: none is ejected
}

// NewPlacement builds the placement of a pool. Where before, which may be nil,
// is the placement that this one replaces, a server that is in both stays
// ejected.
func NewPlacement(pool Pool, before *Placement, hooks Hooks) (*Placement, error) {
	return newPlacement(pool, before, hooks, time.Now)
}

func newPlacement(pool Pool, before *Placement, hooks Hooks, now func() time.Time) (*Placement, error) {
	hash, err := pool.check()
	if err != nil {
		return nil, fmt.Errorf("pool %s: %w", pool.Name, err)
	}
	p := &Placement{pool: pool, hash: hash, hooks: hooks, now: now, servers: make([]serverState, len(pool.Servers))}
	if before != nil && pool.AutoEject {
		p.inherit(before)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rebuild()
	return p, nil
}

func (p *Placement) inherit(before *Placement) {
	before.mu.Lock()
	defer before.mu.Unlock()
	for i, server := range p.pool.Servers {
		for j, old := range before.pool.Servers {
			if old.Name == server.Name && old.Addr == server.Addr {
				p.servers[i].ejectedUntil = before.servers[j].ejectedUntil
				p.servers[i].failures.Store(before.servers[j].failures.Load())
			}
		}
	}
}

// Pool returns the pool, whose slices must not be changed.
func (p *Placement) Pool() Pool { return p.pool }

// Pick returns the index in Pool().Servers of the server of a key, or -1 while
// all servers are ejected.
func (p *Placement) Pick(key []byte) int {
	s := p.current.Load()
	if !s.next.IsZero() && p.now().After(s.next) {
		s = p.refresh()
	}
	if len(p.servers) == 1 && s.live == 1 {
		return 0
	}
	return s.dist.Pick(p.hashOf(sharding.Tag(key, p.pool.HashTag)))
}

// hashOf: the empty key has the hash 0, whatever the function.
func (p *Placement) hashOf(key []byte) uint64 {
	if len(key) == 0 {
		return 0
	}
	return p.hash(key)
}

// Succeeded notes that a server answered.
func (p *Placement) Succeeded(server int) {
	if failures := &p.servers[server].failures; failures.Load() != 0 {
		failures.Store(0)
	}
}

// Failed notes that a connection to a server failed, or that it did not answer
// in time. A connection that is lost with many requests is one failure.
func (p *Placement) Failed(server int) {
	if !p.pool.AutoEject {
		return
	}
	state := &p.servers[server]
	if int(state.failures.Add(1)) < p.pool.FailureLimit {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	state.failures.Store(0)
	state.ejectedUntil = p.now().Add(p.pool.RetryTimeout)
	if p.hooks.Ejected != nil {
		p.hooks.Ejected(p.pool.Servers[server], state.ejectedUntil)
	}
	p.rebuild()
}

// Ejected tells until when a server is ejected; the zero time when it is not.
func (p *Placement) Ejected(server int) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	until := p.servers[server].ejectedUntil
	if !until.After(p.now()) {
		return time.Time{}
	}
	return until
}

// refresh takes back the servers whose time is over.
func (p *Placement) refresh() *snapshot {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.current.Load(); s.next.IsZero() || !p.now().After(s.next) {
		return s // another goroutine was first
	}
	return p.rebuild()
}

// rebuild is called with mu held.
func (p *Placement) rebuild() *snapshot {
	s := &snapshot{}
	now := p.now()
	live := weights(p.pool.Servers)
	for i := range p.servers {
		state := &p.servers[i]
		switch {
		case state.ejectedUntil.IsZero():
			s.live++
		case !state.ejectedUntil.After(now):
			state.ejectedUntil = time.Time{}
			s.live++
			if p.hooks.Returned != nil {
				p.hooks.Returned(p.pool.Servers[i])
			}
		default:
			live[i].Weight = 0
			if s.next.IsZero() || state.ejectedUntil.Before(s.next) {
				s.next = state.ejectedUntil
			}
		}
	}
	// The name and the weights were accepted by newPlacement, so this cannot fail.
	s.dist, _ = sharding.New(p.pool.Distribution, live)
	p.current.Store(s)
	return s
}

func weights(servers []Server) []sharding.Server {
	out := make([]sharding.Server, len(servers))
	for i, s := range servers {
		out[i] = sharding.Server{Name: s.Name, Weight: s.Weight}
	}
	return out
}

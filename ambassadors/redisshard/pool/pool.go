package pool

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flotilla-dev/flotilla/ambassadors/redisshard/link"
	"github.com/flotilla-dev/flotilla/ambassadors/redisshard/shard"
	"github.com/flotilla-dev/flotilla/internal/nutcracker"
)

// Options of a pool.
type Options struct {
	Shard   shard.Options // of all shards; Server, Timeout, Connections, DB, Meter and, where the file has one, the password are filled in
	Timeout time.Duration // where the file sets none
	// Replicas are addresses of servers that are asked for reads, by the name of
	// the server whose data they have.
	Replicas map[string][]string
	Metrics  *Metrics
	Log      *slog.Logger
}

// Pool is a pool. Its methods may be called by any goroutine.
type Pool struct {
	o       Options
	name    string
	current atomic.Pointer[generation]

	mu      sync.Mutex // guards retired, and the order of updates
	retired []retired
}

// retired is a shard that is no longer in the configuration.
type retired struct {
	*shard.Shard
	since time.Duration
}

// grace is how long a retired shard is kept at least: a session may have picked
// it just before.
const grace = time.Second

// generation is the pool as one version of the configuration describes it.
type generation struct {
	placement *nutcracker.Placement
	shards    []*shard.Shard // by index of the placement
}

// New makes a pool. Nothing is checked before Run.
func New(c nutcracker.Pool, o Options) (*Pool, error) {
	p := &Pool{o: o, name: c.Name}
	if err := p.Update(c); err != nil {
		return nil, err
	}
	return p, nil
}

// Name is the name of the pool in the configuration.
func (p *Pool) Name() string { return p.name }

// Config returns the configuration in use.
func (p *Pool) Config() nutcracker.Pool { return p.current.Load().placement.Pool() }

// Pick returns the shard of a key, or nil while no shard is live.
func (p *Pool) Pick(key []byte) *shard.Shard {
	g := p.current.Load()
	at := g.placement.Pick(key)
	if at < 0 {
		return nil
	}
	return g.shards[at]
}

// Shards returns all shards, live or not.
func (p *Pool) Shards() []*shard.Shard { return p.current.Load().shards }

// Live returns the shards that are not ejected.
func (p *Pool) Live() []*shard.Shard {
	g := p.current.Load()
	var live []*shard.Shard
	for i, s := range g.shards {
		if g.placement.Ejected(i).IsZero() {
			live = append(live, s)
		}
	}
	return live
}

// Update takes a changed configuration over.
func (p *Pool) Update(c nutcracker.Pool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var old generation
	if g := p.current.Load(); g != nil {
		old = *g
	}
	placement, err := nutcracker.NewPlacement(c, old.placement, p.hooks())
	if err != nil {
		return err
	}
	if c.Timeout == 0 {
		c.Timeout = p.o.Timeout
	}
	g := &generation{placement: placement}
	kept := map[*shard.Shard]bool{}
	for i, server := range c.Servers {
		s := p.shard(c, server, old.shards)
		kept[s] = true
		s.Report(health{placement, i})
		g.shards = append(g.shards, s)
		if c.Preconnect {
			s.Connect()
		}
	}
	p.current.Store(g)
	for _, s := range old.shards {
		if !kept[s] {
			p.retired = append(p.retired, retired{s, link.Now()})
		}
	}
	return nil
}

// shard returns the old shard of a server where there is one, or a new one.
func (p *Pool) shard(c nutcracker.Pool, server nutcracker.Server, old []*shard.Shard) *shard.Shard {
	o := p.o.Shard
	o.Server, o.Timeout, o.Connections, o.DB = server, c.Timeout, c.ServerConnections, c.RedisDB
	o.Replicas, o.ReplicaRetry = p.o.Replicas[server.Name], c.RetryTimeout
	o.Log = p.o.Log.With("pool", c.Name)
	o.Meter = p.o.Metrics.shards.Meter(c.Name, server.Name)
	if c.RedisAuth != "" {
		o.Password = c.RedisAuth
	}
	for _, s := range old {
		if s.Options().Same(o) {
			return s
		}
	}
	return shard.New(o)
}

// hooks log and count what the placement does.
func (p *Pool) hooks() nutcracker.Hooks {
	log := p.o.Log.With("pool", p.name)
	return nutcracker.Hooks{
		Ejected: func(s nutcracker.Server, until time.Time) {
			p.o.Metrics.ejections.WithLabelValues(p.name, s.Name).Inc()
			log.Warn("shard ejected, its keys belong to the others", "shard", s.Name, "until", until.UTC().Format(time.RFC3339Nano))
		},
		Returned: func(s nutcracker.Server) { log.Info("shard is back", "shard", s.Name) },
	}
}

// health tells a placement how requests to one of its servers went.
type health struct {
	placement *nutcracker.Placement
	server    int
}

func (h health) Succeeded() { h.placement.Succeeded(h.server) }
func (h health) Failed()    { h.placement.Failed(h.server) }

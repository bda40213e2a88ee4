package pool

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/flotilla-dev/flotilla/ambassadors/memcacheshard/shard"
	"github.com/flotilla-dev/flotilla/internal/nutcracker"
)

// Metrics counts for all pools.
type Metrics struct {
	shards    *shard.Metrics
	ejections *prometheus.CounterVec
}

// NewMetrics registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	return &Metrics{
		shards: shard.NewMetrics(r),
		ejections: promauto.With(r).NewCounterVec(prometheus.CounterOpts{
			Name: "memcacheshard_shard_ejections_total", Help: "How often a shard was left out after failures.",
		}, []string{"pool", "shard"}),
	}
}

// Options of a pool.
type Options struct {
	Shard    shard.Options       // of all shards; what the file says is filled in
	Timeout  time.Duration       // where the file sets none
	Replicas map[string][]string // addresses of further servers, by the name of a server of the file
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
	since time.Time
}

// grace is how long a retired shard is kept at least: a session may have picked
// it just before.
const grace = time.Second

// generation is the pool as one version of the configuration describes it.
type generation struct {
	placement *nutcracker.Placement
	shards    []*shard.Shard // by index of the placement
}

// New makes a pool that connects when it is asked.
func New(c nutcracker.Pool, o Options) (*Pool, error) {
	p := &Pool{o: o, name: c.Name}
	if err := p.Update(c, o.Replicas); err != nil {
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

// Update takes a changed configuration over.
func (p *Pool) Update(c nutcracker.Pool, replicas map[string][]string) error {
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
	g := &generation{placement: placement}
	kept := map[*shard.Shard]bool{}
	for i, server := range c.Servers {
		s := p.shard(c, server, replicas[server.Name], old.shards)
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
			p.retired = append(p.retired, retired{s, time.Now()})
		}
	}
	return nil
}

// minRetry keeps a retry time of zero from being a busy loop.
const minRetry = 100 * time.Millisecond

// shard returns the old shard of a server where there is one, or a new one.
func (p *Pool) shard(c nutcracker.Pool, server nutcracker.Server, more []string, old []*shard.Shard) *shard.Shard {
	o := p.o.Shard
	o.Name, o.Connections, o.Retry = server.Name, c.ServerConnections, max(c.RetryTimeout, minRetry)
	o.Servers = append([]string{server.Addr}, more...)
	if o.Link.Timeout = c.Timeout; c.Timeout == 0 {
		o.Link.Timeout = p.o.Timeout
	}
	o.Log = p.o.Log.With("pool", c.Name)
	o.Meter = func(addr string) *shard.Meter { return p.o.Metrics.shards.Meter(c.Name, server.Name, addr) }
	for _, s := range old {
		if s.Same(o) {
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

// Run closes shards that are gone from the configuration when they have nothing
// to do. At the end of ctx it closes all.
func (p *Pool) Run(ctx context.Context) error {
	defer p.close()
	tick := time.NewTicker(grace / 4)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			p.bury(now)
		}
	}
}

// bury closes retired shards that have nothing in flight.
func (p *Pool) bury(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	waiting := p.retired[:0]
	for _, s := range p.retired {
		if s.Waiting() > 0 || now.Sub(s.since) < grace {
			waiting = append(waiting, s)
			continue
		}
		s.Close()
	}
	clear(p.retired[len(waiting):])
	p.retired = waiting
}

func (p *Pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.retired {
		s.Close()
	}
	for _, s := range p.Shards() {
		s.Close()
	}
	p.retired = nil
}

package shardproxy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"github.com/flotilla-dev/flotilla/internal/certs"
	"github.com/flotilla-dev/flotilla/internal/country"
	"github.com/flotilla-dev/flotilla/internal/front"
	"github.com/flotilla-dev/flotilla/internal/guard"
	"github.com/flotilla-dev/flotilla/internal/hop"
	"github.com/flotilla-dev/flotilla/internal/measure"
	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/internal/upstream"
	"github.com/flotilla-dev/flotilla/services/shardproxy/layout"
	"github.com/flotilla-dev/flotilla/services/shardproxy/recent"
	"github.com/flotilla-dev/flotilla/services/shardproxy/reshard"
)

// A proxy is what all connections of the process share.
type proxy struct {
	cfg      *Config
	limits   front.Limits
	log      *slog.Logger
	registry prometheus.Registerer
	metrics  *metrics
	guard    *guard.Guard
	roots    *certs.Roots
	recent   *recent.Sample
	contexts *lookups      // nil: keys have no context
	standIn  *retry.Budget // of requests that another shard is asked with, or the same one once more

	table    atomic.Pointer[table] // never nil when requests are served
	inFlight atomic.Int64          // requests that the shards have now
	closing  atomic.Bool           // answers ask clients to leave
	found    chan struct{}         // closed when the shards have replicas, or had none in time
	dates    front.Dates
	tracer   trace.Tracer // nil: traces are not exported

	run  context.Context // of the upstreams
	calm context.Context // of waiting for new ones; ends a moment before run
	work sync.WaitGroup  // grows only while changing is held and run is not done

	changing   sync.Mutex // held while the table is replaced, which may take a while; guards all below
	countries  *country.Table
	generation int
	loads      map[string]*load // by name of shard

	mu      sync.Mutex // guards the rest
	leaving []*shard   // in no table any more
	broken  error      // why the file last read was not taken
}

// errChanged is the outcome of a change that was meant for another table.
var errChanged = errors.New("the layout is another one by now")

// errEnding is the outcome of a change in a process that ends.
var errEnding = errors.New("the process ends")

// end stops all shards and waits for them. Requests must have ended before.
func (p *proxy) end(stopWaiting, cancel func()) {
	stopWaiting()
	p.changing.Lock()
	cancel()
	p.changing.Unlock()
	p.work.Wait()
}

// settle is how long a new shard may take to find a usable replica before it gets
// requests, and how long one that left stays for requests that began under the old table.
const settle = 5 * time.Second

// plan parses a layout and compares it with the one at work.
func (p *proxy) plan(text []byte) (*layout.Placement, *reshard.Plan, error) {
	l, err := p.parse(text)
	if err != nil {
		return nil, nil, err
	}
	return p.compare(l)
}

// compare says what a layout would move.
func (p *proxy) compare(l *layout.Layout) (*layout.Placement, *reshard.Plan, error) {
	next, err := l.Place()
	if err != nil {
		return nil, nil, err
	}
	seen, each := p.recent.Keys()
	return next, reshard.Make(p.table.Load().Placement, next, seen, each), nil
}

// apply makes a layout the one at work: shards with the same name and replicas go on as they are.
// An id that is not "" must be that of the table of now.
func (p *proxy) apply(next *layout.Placement, source, id string) error {
	p.changing.Lock()
	defer p.changing.Unlock()
	if p.run.Err() != nil {
		return errEnding
	}
	old := p.table.Load()
	if id != "" && old.id != id {
		return errChanged
	}
	p.generation++
	t := &table{Placement: next, key: next.Key, id: idOf(next.Layout), source: source, loaded: time.Now().UTC()}
	if t.key.UsesCountry() {
		t.key = t.key.In(p.countries)
	}
	var fresh []*shard
	for _, s := range next.Shards {
		running := old.find(s)
		if running == nil {
			var err error
			if running, err = p.start(s); err != nil {
				p.abandon(fresh)
				return err
			}
			fresh = append(fresh, running)
		}
		t.shards = append(t.shards, running)
	}
	if old != nil { // traffic is on: let the checks find the replicas first
		ctx, cancel := context.WithTimeout(p.calm, settle)
		for _, s := range fresh {
			_ = s.Wait(ctx) // a shard without replicas is still the one that was asked for
		}
		cancel()
		if old.key.String() != t.key.String() {
			p.recent.Forget()
		}
	}
	p.table.Store(t)
	p.retire(old, t)
	return nil
}

// find returns the shard at work that is the same, or nil.
func (t *table) find(s layout.Shard) *shard {
	if t == nil {
		return nil
	}
	for _, running := range t.shards {
		if running.name == s.Name && running.replicas == s.Replicas {
			return running
		}
	}
	return nil
}

// start makes a shard and lets it run. p.changing is held.
func (p *proxy) start(s layout.Shard) (*shard, error) {
	address, err := upstream.Parse(s.Replicas)
	if err != nil {
		return nil, err
	}
	u, err := hop.New(hop.Options{
		Name: s.Name, Address: address, Intervals: p.cfg.Intervals, Health: p.cfg.Health, Retry: p.cfg.Limits,
		TLS: p.cfg.clientTLS(p.roots), ServerName: p.cfg.ServerName, Connect: p.cfg.ConnectTimeout, KeepAlive: p.cfg.KeepAlive,
		Idle: p.cfg.StreamIdle, MaxIdle: p.cfg.MaxIdle, MaxInFlight: p.cfg.MaxInFlight, HeadLimit: maxAnswerHead, Log: p.log,
		// A shard whose replicas changed runs beside its old self for a while.
		Metrics: prometheus.WrapRegistererWith(prometheus.Labels{"generation": strconv.Itoa(p.generation)}, p.registry),
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(p.run)
	p.work.Go(func() {
		if err := u.Run(ctx); err != nil {
			p.log.Error("shard stopped", "shard", s.Name, "error", err)
		}
	})
	return &shard{Upstream: u, breaker: breaker{health: p.cfg.Health}, name: s.Name, replicas: s.Replicas, load: p.loadOf(s.Name), end: cancel}, nil
}

// maxAnswerHead bounds the head of a replica's answer.
const maxAnswerHead = 64 << 10

// loadOf returns what is counted under a name. p.changing is held.
func (p *proxy) loadOf(name string) *load {
	l := p.loads[name]
	if l == nil {
		l = &load{series: measure.NewSeries(p.cfg.Window, nil), cached: measure.NewSeries(p.cfg.Window, nil)}
		l.duration.of(p.metrics.duration, name)
		p.loads[name] = l
	}
	return l
}

// abandon ends shards of a table that does not come to be, and what was begun to be
// counted of them. p.changing is held.
func (p *proxy) abandon(fresh []*shard) {
	now := p.table.Load()
	for _, s := range fresh {
		s.end()
		if !now.has(s.name) {
			p.forget(s.name)
		}
	}
}

func (t *table) has(name string) bool {
	if t == nil {
		return false
	}
	for _, s := range t.shards {
		if s.name == name {
			return true
		}
	}
	return false
}

// retire lets the shards that are in no table any more finish what they have.
func (p *proxy) retire(old, now *table) {
	if old == nil {
		return
	}
	for _, s := range old.shards {
		if now.find(layout.Shard{Name: s.name, Replicas: s.replicas}) == nil {
			p.mu.Lock()
			p.leaving = append(p.leaving, s)
			p.mu.Unlock()
			p.work.Go(func() { p.seeOff(s) })
		}
	}
}

// seeOff ends a shard when those who have it from an old table are done with it.
func (p *proxy) seeOff(s *shard) {
	timer := time.NewTimer(settle)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.run.Done():
	}
	s.end()
	tick := time.NewTicker(settle / 10)
	defer tick.Stop()
	for s.busy() && p.run.Err() == nil {
		select {
		case <-tick.C:
		case <-p.run.Done():
		}
	}
	p.changing.Lock()
	defer p.changing.Unlock()
	p.mu.Lock()
	p.leaving = slices.DeleteFunc(p.leaving, func(one *shard) bool { return one == s })
	again := slices.ContainsFunc(p.leaving, func(one *shard) bool { return one.name == s.name })
	p.mu.Unlock()
	if !again && !p.table.Load().has(s.name) {
		p.forget(s.name)
	}
}

// busy tells whether replicas of the shard still have requests.
func (s *shard) busy() bool {
	snapshot := s.Snapshot()
	for _, e := range append(snapshot.Endpoints, snapshot.Draining...) {
		if e.InFlight > 0 {
			return true
		}
	}
	return false
}

// forget ends the series of a shard. p.changing is held.
func (p *proxy) forget(name string) {
	delete(p.loads, name)
	p.metrics.duration.DeletePartialMatch(prometheus.Labels{"shard": name})
}

// idOf names a layout by what it says.
func idOf(l *layout.Layout) string {
	text, err := json.Marshal(struct {
		Key, Function string
		Bounded       float64
		Shards        []layout.Shard
	}{l.Key.String(), l.Function, l.Bounded, l.Shards})
	if err != nil {
		panic(err) // values of plain types always make a document
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

func hex64(v uint64) string {
	text := strconv.FormatUint(v, 16)
	return "0000000000000000"[:16-len(text)] + text
}

// wait returns when every shard has a usable replica, and the service for contexts one, or
// ctx ends.
func (p *proxy) wait(ctx context.Context) error {
	if p.contexts != nil {
		if err := p.contexts.pool.Wait(ctx); err != nil {
			return err
		}
	}
	for _, s := range p.table.Load().shards {
		if err := s.Wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

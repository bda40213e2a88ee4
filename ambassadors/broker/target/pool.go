package target

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/flotilla-dev/flotilla/ambassadors/broker/source"
)

// Options of a pool. All are needed but Log.
type Options struct {
	Interval time.Duration // between checks of an address
	Timeout  time.Duration // of a check
	Up, Down int           // checks in a row that change the verdict
	Check    func(ctx context.Context, address string) error
	Changed  func(active *Target) // another one is active, or none (nil); called with nothing locked, one call at a time
	Log      *slog.Logger
}

// Pool is the addresses in their order of preference.
type Pool struct {
	options Options
	ctx     context.Context // of checks
	cancel  context.CancelFunc
	checks  sync.WaitGroup

	announcing sync.Mutex // one Changed at a time, the last one last

	mu       sync.Mutex // guards all below
	targets  []*Target
	active   *Target
	reported *Target
	changed  chan struct{} // closed and replaced when a verdict or the list changes
}

// New returns an empty pool. Close it.
func New(o Options) *Pool {
	p := &Pool{options: o, changed: make(chan struct{})}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p
}

// Close ends all checks.
func (p *Pool) Close() {
	p.cancel()
	p.checks.Wait()
}

// Become replaces the list. Addresses that stay keep what is known of them.
func (p *Pool) Become(candidates []source.Candidate) {
	p.mu.Lock()
	known := map[string]*Target{}
	for _, t := range p.targets {
		known[t.Address] = t
	}
	p.targets = make([]*Target, 0, len(candidates))
	for _, c := range candidates {
		t := known[c.Address]
		if t == nil {
			t = p.open(c)
		}
		delete(known, c.Address)
		t.name = c.Name
		p.targets = append(p.targets, t)
	}
	for _, gone := range known {
		gone.cancel()
	}
	p.settle()
	p.mu.Unlock()
	p.announce()
}

// open begins the checks of an address; mu is held.
func (p *Pool) open(c source.Candidate) *Target {
	t := &Target{Address: c.Address, name: c.Name, pool: p, health: Unknown}
	var ctx context.Context
	ctx, t.cancel = context.WithCancel(p.ctx)
	p.checks.Go(func() { t.watch(ctx) })
	return t
}

// settle finds the active target; mu is held.
func (p *Pool) settle() {
	p.active = nil
	for _, t := range p.targets {
		if t.health != Down {
			p.active = t
			break
		}
	}
	close(p.changed)
	p.changed = make(chan struct{})
}

// announce tells of the active target, if it is another one than was told last.
func (p *Pool) announce() {
	p.announcing.Lock()
	defer p.announcing.Unlock()
	p.mu.Lock()
	active := p.active
	same := active == p.reported
	p.reported = active
	p.mu.Unlock()
	if !same {
		p.options.Changed(active)
	}
}

// Usable returns the targets that a connection may be tried at, in order, how
// many there are in all, and a channel that is closed when this changes.
func (p *Pool) Usable() (usable []*Target, all int, changed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.targets {
		if t.health != Down {
			usable = append(usable, t)
		}
	}
	return usable, len(p.targets), p.changed
}

// Active is the target of new connections, or nil.
func (p *Pool) Active() *Target {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.active
}

// View is a target as operators see it.
type View struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	Health  Health `json:"health"`
	Reason  string `json:"reason,omitempty"`
	Active  bool   `json:"active"`
}

// View shows all targets in order.
func (p *Pool) View() []View {
	p.mu.Lock()
	defer p.mu.Unlock()
	views := make([]View, 0, len(p.targets))
	for _, t := range p.targets {
		views = append(views, View{t.name, t.Address, t.health, t.reason, t == p.active})
	}
	return views
}

package upstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/flotilla-dev/flotilla/internal/ring"
)

// A Pool is the set of endpoints of one upstream. See New and Run.
type Pool struct {
	options Options
	log     *slog.Logger
	prober  *http.Client

	view    atomic.Pointer[view]
	turn    atomic.Uint64 // of round robin
	refused atomic.Uint64 // picks without an endpoint
	wake    chan struct{} // an ejection began

	unresolved atomic.Uint64 // unusable answers of DNS or the endpoint file

	mu        sync.Mutex // guards the rest, and every Endpoint's health
	members   []*Endpoint
	ring      *ring.Ring
	draining  map[*Endpoint]struct{} // left, not yet closed
	sourceErr error                  // why the last list of members was not taken
	run       context.Context        // of Run while it runs
	running   sync.WaitGroup
	stopped   bool
}

// New returns a pool. The endpoints of a host:port list are there at once, the
// others as soon as Run has found them. Endpoints without active checks can be
// used at once, the others after their first good check.
func New(o Options) (*Pool, error) {
	if o.Health.CheckTimeout == 0 {
		o.Health.CheckTimeout = checkTimeout
	}
	var errs []error
	if o.Name == "" {
		errs = append(errs, errors.New("no name"))
	}
	if o.Address.dns != nil && o.Intervals.ResolveInterval <= 0 {
		errs = append(errs, fmt.Errorf("RESOLVE_INTERVAL %s is not above 0", o.Intervals.ResolveInterval))
	}
	if o.Intervals.CheckInterval < 0 {
		errs = append(errs, fmt.Errorf("CHECK_INTERVAL %s is negative", o.Intervals.CheckInterval))
	}
	if err := errors.Join(append(errs, o.Policy.validate(), o.Health.validate())...); err != nil {
		return nil, fmt.Errorf("upstream %s: %w", o.Name, err)
	}
	if o.Policy == "" {
		o.Policy = LeastRequests
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Resolver == nil {
		o.Resolver = net.DefaultResolver
	}
	p := &Pool{
		options:  o,
		log:      o.Log.With("upstream", o.Name),
		prober:   newProber(o.Health.CheckTimeout),
		wake:     make(chan struct{}, 1),
		draining: map[*Endpoint]struct{}{},
	}
	p.become(o.Address.static, nil)
	if o.Metrics != nil {
		if err := o.Metrics.Register(p.collector()); err != nil {
			return nil, fmt.Errorf("upstream %s: register metrics: %w", o.Name, err)
		}
	}
	return p, nil
}

// Name returns the name of the upstream.
func (p *Pool) Name() string { return p.options.Name }

// Run follows the membership and checks the endpoints until ctx is done, then
// ends all its goroutines and returns nil. From then on Pick refuses, and each
// endpoint is closed when its last request is released: stop the servers that
// use the pool first. Run can be called once.
func (p *Pool) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p.mu.Lock()
	if p.run != nil || p.stopped {
		p.mu.Unlock()
		return fmt.Errorf("upstream %s: it runs already, or did", p.options.Name)
	}
	p.run = ctx
	for _, e := range p.members {
		p.startChecks(e)
	}
	p.mu.Unlock()

	p.running.Go(func() { p.follow(ctx) })
	p.readmit(ctx)
	p.running.Wait()
	p.prober.CloseIdleConnections()
	if p.options.Metrics != nil {
		p.options.Metrics.Unregister(p.collector())
	}
	p.mu.Lock()
	p.run, p.stopped = nil, true
	p.mu.Unlock()
	p.become(nil, nil)
	return nil
}

// Wait returns nil as soon as an endpoint is usable, or an ErrNoUpstream when
// ctx is done first. It is for callers who would rather wait shortly than fail.
func (p *Pool) Wait(ctx context.Context) error {
	for {
		v := p.view.Load()
		if len(v.usable) > 0 {
			return nil
		}
		select {
		case <-v.changed:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), v.err)
		}
	}
}

// become makes the pool have these members, or keep those it has because of
// err. Endpoints that stay keep their state; those that left are drained.
func (p *Pool) become(members []Member, err error) {
	p.mu.Lock()
	p.sourceErr = err
	if err != nil {
		p.replaceView() // its error text tells the reason
		p.mu.Unlock()
		return
	}
	old := p.members
	p.members = make([]*Endpoint, 0, len(members))
	names := make([]string, 0, len(members))
	for _, m := range members {
		names = append(names, m.Name)
		i := slices.IndexFunc(old, func(e *Endpoint) bool { return e.member == m })
		if i >= 0 {
			p.members = append(p.members, old[i])
		} else {
			p.members = append(p.members, p.join(m))
		}
	}
	p.ring, err = ring.New(ring.Options{}, ring.Named(names...)...)
	if err != nil {
		panic(err) // every source has checked names and number
	}
	var gone []*Endpoint
	for _, e := range old {
		if !slices.Contains(p.members, e) {
			gone = append(gone, e)
			p.draining[e] = struct{}{}
			if e.stop != nil {
				e.stop()
			}
			p.log.Info("endpoint left", "endpoint", e.Name(), "addr", e.Addr(), "in_flight", e.InFlight())
		}
	}
	p.replaceView()
	p.mu.Unlock()
	for _, e := range gone {
		e.leave() // without the lock, which closing takes
	}
}

// join makes an endpoint. p.mu is held.
func (p *Pool) join(m Member) *Endpoint {
	e := &Endpoint{member: m, pool: p}
	if m.Admin == "" || p.options.Intervals.CheckInterval == 0 {
		e.health.state = Passive
	}
	if p.options.Open != nil {
		e.attachment = p.options.Open(e)
	}
	p.log.Info("endpoint joined", "endpoint", m.Name, "addr", m.Data, "admin", m.Admin)
	if p.run != nil {
		p.startChecks(e)
	}
	return e
}

// drained forgets an endpoint that was closed.
func (p *Pool) drained(e *Endpoint) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.draining, e)
}

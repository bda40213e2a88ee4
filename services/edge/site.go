package edge

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flotilla-dev/flotilla/internal/certs"
	"github.com/flotilla-dev/flotilla/internal/hop"
	"github.com/flotilla-dev/flotilla/internal/upstream"
	"github.com/flotilla-dev/flotilla/services/edge/routes"
)

// A site is a table of routes with everything that requests by it need. It does
// not change: a new file makes a new site.
type site struct {
	table  *routes.Table
	routes []*route // by routes.Route.Index
}

// A route is a line of the table, bound to its upstream.
type route struct {
	label    string
	upstream *hop.Upstream
	optional bool // an edge is ready without the upstream
	timeout  time.Duration
	limit    int64  // of a request body
	methods  string // that may be used, as a value of Allow
	durations
}

// sites makes sites from files and keeps the upstreams that they share.
type sites struct {
	cfg     *Config
	log     *slog.Logger
	metrics prometheus.Registerer
	series  *metrics
	current atomic.Pointer[site]

	mu         sync.Mutex // guards all below
	generation int
	running    map[routes.Upstream]*runningUpstream
	roots      map[string]*certs.Roots
	run        context.Context
	work       sync.WaitGroup
}

type runningUpstream struct {
	*hop.Upstream
	cancel context.CancelFunc
}

func newSites(run context.Context, cfg *Config, log *slog.Logger, r prometheus.Registerer, m *metrics) *sites {
	return &sites{cfg: cfg, log: log, metrics: r, series: m, run: run,
		running: map[routes.Upstream]*runningUpstream{}, roots: map[string]*certs.Roots{}}
}

// names lists the virtual hosts.
func (s *sites) names() []string {
	var all []string
	for _, r := range s.current.Load().table.Routes {
		all = append(all, r.Label)
	}
	return all
}

// settle is how long a new upstream may take to find its replicas before it
// gets requests, and how long one that is no longer used stays for requests
// that began under the old routes.
const settle = 5 * time.Second

// load makes the text the current routes, or returns why not and changes
// nothing.
func (s *sites) load(text []byte) error {
	table, err := routes.Parse(text, s.cfg.lookup())
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.generation++
	used := map[routes.Upstream]*runningUpstream{}
	byName := map[string]*hop.Upstream{}
	var fresh []*runningUpstream
	for _, u := range table.Upstreams {
		r := s.running[u]
		if r == nil {
			if r, err = s.start(u); err != nil {
				s.forget(fresh)
				return err
			}
			fresh = append(fresh, r)
		}
		used[u], byName[u.Name] = r, r.Upstream
	}
	if s.current.Load() != nil { // traffic is on: let the checks find the replicas first
		ctx, cancel := context.WithTimeout(s.run, settle)
		for _, f := range fresh {
			_ = f.Wait(ctx) // routes to a dead upstream are still the routes that were asked for
		}
		cancel()
	}
	s.current.Store(s.bind(table, byName))
	s.retire(used)
	return nil
}

// forget stops upstreams of a table that did not come to be. s.mu is held.
func (s *sites) forget(fresh []*runningUpstream) {
	for u, r := range s.running {
		if slices.Contains(fresh, r) {
			delete(s.running, u)
			r.cancel()
		}
	}
}

func (s *sites) bind(table *routes.Table, byName map[string]*hop.Upstream) *site {
	bound := &site{table: table, routes: make([]*route, len(table.Routes))}
	optional := map[string]bool{}
	for _, u := range table.Upstreams {
		optional[u.Name] = u.Optional
	}
	for i, r := range table.Routes {
		b := &route{label: r.Label, upstream: byName[r.Upstream], optional: optional[r.Upstream], timeout: r.Timeout, limit: r.BodyLimit}
		b.methods = strings.Join(r.Methods, ", ")
		if b.timeout == 0 {
			b.timeout = s.cfg.AnswerTimeout
		}
		if b.limit == 0 {
			b.limit = int64(s.cfg.BodyLimit)
		}
		b.durations.of(s.series.duration, r.Label)
		bound.routes[i] = b
	}
	return bound
}

// start makes an upstream and lets it run. s.mu is held.
func (s *sites) start(u routes.Upstream) (*runningUpstream, error) {
	address, err := upstream.Parse(u.Address)
	if err != nil {
		return nil, err
	}
	config, err := s.tls(u)
	if err != nil {
		return nil, fmt.Errorf("upstream %s: %w", u.Name, err)
	}
	h, err := hop.New(hop.Options{
		Name: u.Name, Address: address, Policy: u.Policy, Intervals: s.cfg.Intervals, Health: s.cfg.Health, Retry: s.cfg.Limits,
		TLS: config, ServerName: u.ServerName, Connect: s.cfg.ConnectTimeout, KeepAlive: s.cfg.KeepAlive, Idle: s.cfg.StreamIdle,
		MaxIdle: s.cfg.MaxIdle, MaxInFlight: s.cfg.MaxInFlight, HeadLimit: maxAnswerHead, Log: s.log,
		// An upstream whose definition changed runs beside its old self for a while.
		Metrics: prometheus.WrapRegistererWith(prometheus.Labels{"generation": strconv.Itoa(s.generation)}, s.metrics),
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(s.run)
	s.work.Go(func() {
		if err := h.Run(ctx); err != nil {
			s.log.Error("upstream stopped", "upstream", u.Name, "error", err)
		}
	})
	r := &runningUpstream{h, cancel}
	s.running[u] = r
	return r, nil
}

// maxAnswerHead bounds the head of an upstream's answer.
const maxAnswerHead = 64 << 10

// tls returns the settings for an upstream, nil for plain text. s.mu is held.
func (s *sites) tls(u routes.Upstream) (func(serverName string) *tls.Config, error) {
	if !u.TLS {
		return nil, nil
	}
	file := u.CAFile
	if file == "" {
		file = s.cfg.CAFile
	}
	roots := s.roots[file]
	if roots == nil {
		var err error
		if roots, err = certs.OpenRoots(file); err != nil {
			return nil, err
		}
		s.roots[file] = roots
		s.work.Go(func() { roots.Watch(s.run, s.log) })
	}
	return func(serverName string) *tls.Config { return roots.Client(serverName, "http/1.1") }, nil
}

// retire stops the upstreams that are not used any more, a while later.
// s.mu is held.
func (s *sites) retire(used map[routes.Upstream]*runningUpstream) {
	for u, r := range s.running {
		if used[u] != nil {
			continue
		}
		delete(s.running, u)
		timer := time.AfterFunc(settle, r.cancel)
		context.AfterFunc(s.run, func() { timer.Stop() })
	}
}

// wait returns when every upstream has a usable replica, or ctx ends. An optional
// one gets little time: enough to be found by an edge that takes the place of
// another, and not so much that the others wait for what is not there.
func (s *sites) wait(ctx context.Context) error {
	little, cancel := context.WithTimeout(ctx, settle)
	defer cancel()
	for _, r := range s.current.Load().routes {
		if r.optional {
			_ = r.upstream.Wait(little) // without it its routes answer 503
			continue
		}
		if err := r.upstream.Wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

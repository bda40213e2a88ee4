package cache

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/flotilla-dev/flotilla/internal/certs"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/upstream"
	"github.com/flotilla-dev/flotilla/internal/watch"
	"github.com/flotilla-dev/flotilla/services/cache/accesslog"
	"github.com/flotilla-dev/flotilla/services/cache/http1"
	"github.com/flotilla-dev/flotilla/services/cache/origin"
	"github.com/flotilla-dev/flotilla/services/cache/policy"
	"github.com/flotilla-dev/flotilla/services/cache/store"
)

// Run runs the cache until ctx ends.
func Run(ctx context.Context, cfg Config) error {
	if err := cfg.validate(); err != nil {
		return err
	}
	content, routes, err := loadPolicy(cfg.PolicyFile)
	if err != nil {
		return err
	}
	roots, err := certs.OpenRoots(cfg.CAFile)
	if err != nil {
		return err
	}
	if cfg.Threads > 0 {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cfg.Threads))
	}
	p, err := process.Open(ctx, Program, cfg.Contract, cfg)
	if err != nil {
		return err
	}
	s, err := assemble(p, &cfg, roots, routes)
	if err != nil {
		p.Close()
		return err
	}
	if cfg.PolicyFile != "" {
		p.Go("policy", func(ctx context.Context) error {
			watch.File(ctx, cfg.PolicyFile, content, func(content []byte) { s.reload(content) })
			return nil
		})
	}
	p.Go("roots", func(ctx context.Context) error { roots.Watch(ctx, p.Log); return nil })
	p.Serve(&http1.Server{Handler: s, Log: p.Log, Idle: cfg.Idle, Head: cfg.Head, Stall: cfg.Stall, MaxConns: cfg.MaxConns,
		Conns: s.metrics.connections, Refused: s.metrics.refusedConnection, BadRequest: s.metrics.badRequest})
	p.Log.Info("cache starts", "listen", cfg.ListenAddr, "admin", cfg.AdminAddr, "upstream", cfg.Upstream.String(),
		"memory", cfg.Memory.String(), "policy", cfg.PolicyFile)
	return p.Run(ctx)
}

// assemble builds the server and starts what works behind it.
func assemble(p *process.Process, cfg *Config, roots *certs.Roots, routes *policy.Policy) (*Server, error) {
	pool, err := upstream.New(upstream.Options{Name: "upstream", Address: cfg.Upstream, Intervals: cfg.Intervals,
		Health: cfg.Health, Log: p.Log, Metrics: p.Metrics})
	if err != nil {
		return nil, err
	}
	m := newMetrics(p.Metrics)
	st, err := store.New(store.Options{Memory: int64(cfg.Memory), MaxBans: cfg.MaxBans, Validation: cfg.Validation, Evicted: m.evictions.Inc})
	if err != nil {
		return nil, fmt.Errorf("make store: %w", err)
	}
	client := origin.New(origin.Options{Pool: pool, Budget: cfg.Limits.Budget(), Attempts: cfg.RetryAttempts,
		TLS: cfg.clientTLS(roots), Connect: cfg.Connect, Header: cfg.Header, Stall: cfg.Stall, Wait: cfg.Wait,
		MaxInFlight: cfg.MaxUpstream, Metrics: origin.NewMetrics(p.Metrics), Tracing: p.Tracing})
	s := newServer(Options{Store: st, Origin: client, Policy: routes, Log: p.Log, metrics: m,
		Access:  accesslog.New(os.Stdout, cfg.AccessLog, Program.Name, p.Instance),
		Trusted: cfg.Trusted, Name: cfg.Identity, MaxWaiters: cfg.MaxWaiters, WaitTimeout: cfg.WaitTimeout,
		MaxBody: int64(cfg.MaxBody), ClientTLS: cfg.TLSCertFile != "", Tracing: p.Tracing})
	m.watch(p.Metrics, st, s)

	usable := p.Health.Gate("upstream", "no replica was usable yet")
	p.Go("upstream", func(ctx context.Context) error {
		err := pool.Run(ctx)
		client.Close()
		return err
	})
	p.Go("first upstream", func(ctx context.Context) error {
		if pool.Wait(ctx) == nil {
			usable.Open()
		}
		return nil
	})
	p.Go("access log", s.access.Run)
	p.Go("lurker", func(ctx context.Context) error { st.Lurk(ctx, cfg.Sweep); st.Close(); return nil })
	p.Go("fills", s.runFills)
	return s, s.share(p, cfg)
}

func loadPolicy(path string) ([]byte, *policy.Policy, error) {
	if path == "" {
		return nil, policy.Default(), nil
	}
	content, err := watch.Read(path)
	if err != nil {
		return nil, nil, fmt.Errorf("read policy: %w", err)
	}
	routes, err := policy.Parse(content)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return content, routes, nil
}

// drainFills bounds how long Run waits at its end for fills that were cancelled.
const drainFills = 5 * time.Second

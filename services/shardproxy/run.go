package shardproxy

import (
	"context"

	"go.opentelemetry.io/otel"

	"github.com/flotilla-dev/flotilla/internal/certs"
	"github.com/flotilla-dev/flotilla/internal/country"
	"github.com/flotilla-dev/flotilla/internal/front"
	"github.com/flotilla-dev/flotilla/internal/guard"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/watch"
	"github.com/flotilla-dev/flotilla/services/shardproxy/recent"
)

// Run serves until ctx ends; see package process for how it ends.
func Run(ctx context.Context, cfg Config) error {
	if err := cfg.validate(); err != nil {
		return err
	}
	roots, err := certs.OpenRoots(cfg.CAFile)
	if err != nil {
		return err
	}
	countries, countryFile := country.Documentation(), (*country.File)(nil)
	if cfg.CountryFile != "" {
		if countries, countryFile, err = country.OpenFile(cfg.CountryFile); err != nil {
			return err
		}
	}
	text, err := watch.Read(cfg.ConfigFile)
	if err != nil {
		return err
	}
	p, err := process.Open(ctx, Program, cfg.Contract, cfg)
	if err != nil {
		return err
	}
	looked, err := openLookups(p, &cfg)
	if err != nil {
		p.Close()
		return err
	}
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	calm, stopWaiting := context.WithCancel(run)
	proxy := &proxy{cfg: &cfg, limits: cfg.limits(), log: p.Log, registry: p.Metrics, metrics: newMetrics(p.Metrics),
		guard: guard.New(cfg.Connections, cfg.PerAddress), roots: roots, countries: countries, contexts: looked,
		recent: recent.New(cfg.RecentKeys, cfg.RecentFor, nil), standIn: cfg.Limits.Budget(), run: run, calm: calm, loads: map[string]*load{}, found: make(chan struct{})}
	if p.Tracing {
		proxy.tracer = otel.Tracer("github.com/flotilla-dev/flotilla/services/shardproxy")
	}
	if err := proxy.first(text); err != nil {
		proxy.end(stopWaiting, cancel)
		p.Close()
		return err
	}
	p.Metrics.MustRegister(newCollector(proxy))
	proxy.routes(p.Admin.Protect)
	p.Go("roots", func(ctx context.Context) error { roots.Watch(ctx, p.Log); return nil })
	p.Go("file", func(ctx context.Context) error {
		defer proxy.end(stopWaiting, cancel)
		watch.File(ctx, cfg.ConfigFile, text, proxy.reload)
		return nil
	})
	if countryFile != nil {
		p.Go("countries", func(ctx context.Context) error { countryFile.Watch(ctx, proxy.locateBy); return nil })
	}
	proxy.readyWithReplicas(p)
	s := newServer(proxy)
	s.Hold = func() { front.HoldOff(ctx, cfg.ListenAddr, proxy.found) }
	p.Serve(s)
	stop := context.AfterFunc(ctx, func() { proxy.drain(s) })
	defer stop()
	p.Log.Info("shardproxy starts", "file", cfg.ConfigFile, "layout", proxy.table.Load().id, "shards", len(proxy.table.Load().shards))
	return p.Run(ctx)
}

// readyWithReplicas makes the process ready when every shard has a replica.
func (p *proxy) readyWithReplicas(process *process.Process) {
	ready := process.Health.Gate("shards", "the replicas of the shards were not found yet")
	process.Go("first replicas", func(ctx context.Context) error {
		// In the end a shard that is lost is what SHARDPROXY_SHARD_LOSS is for.
		ctx, cancel := context.WithTimeout(ctx, p.cfg.FirstReplicas)
		defer cancel()
		if err := p.wait(ctx); err != nil {
			p.log.Warn("ready without all shards", "error", err)
		}
		ready.Open()
		close(p.found)
		return nil
	})
}

// drain begins the end, before the listener is closed: answers ask clients to open their
// next connection elsewhere. A listener that others share is left at once, so that the next
// connection is surely not ours.
func (p *proxy) drain(s *front.Server) {
	p.closing.Store(true)
	if front.Shared(p.cfg.ListenAddr) {
		s.StopAccepting()
	}
}

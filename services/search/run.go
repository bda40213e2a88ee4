package search

import (
	"context"

	"github.com/flotilla-dev/flotilla/internal/api"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/internal/watch"
	"github.com/flotilla-dev/flotilla/services/search/bulkhead"
	"github.com/flotilla-dev/flotilla/services/search/page"
	"github.com/flotilla-dev/flotilla/services/search/scatter"
)

// The budget of hedges beside their share of the calls: at a few requests a minute the share alone would allow none.
const (
	hedgesPerSecond = 0.5
	hedgesSaved     = 50
)

// Run serves until ctx ends; see package process for how it ends.
func Run(ctx context.Context, cfg Config) error {
	if err := cfg.validate(); err != nil {
		return err
	}
	text, err := watch.Read(cfg.LayoutFile)
	if err != nil {
		return err
	}
	pages, err := page.New()
	if err != nil {
		return err
	}
	p, err := process.Open(ctx, Program, cfg.Contract, cfg)
	if err != nil {
		return err
	}
	f := newFleet(&cfg, p.Log)
	follow, err := f.controlled(text)
	if err == nil {
		err = f.apply(text)
	}
	if err != nil {
		f.close()
		p.Close()
		return err
	}
	l, err := newLeaves(&cfg, p.Metrics)
	if err != nil {
		f.close()
		p.Close()
		return err
	}
	hedges := retry.NewBudget(retry.BudgetConfig{Share: cfg.HedgeBudget, MinPerSecond: min(hedgesPerSecond, 10*cfg.HedgeBudget), Burst: hedgesSaved})
	calls := scatter.New(scatter.Options{Quantile: cfg.HedgeQuantile, Window: cfg.HedgeWindow, First: cfg.HedgeFirst, Hedges: hedges,
		Attempts: cfg.RetryAttempts, Metrics: p.Metrics})
	searches := bulkhead.New(cfg.Concurrency, places)
	s := &server{cfg: &cfg, fleet: f, engine: newEngine(l, calls), hedges: hedges, searches: searches, writes: bulkhead.New(cfg.Writes, places),
		metrics: newMetrics(p.Metrics, f, searches), pages: pages, instance: p.Instance}
	e := api.New(p)
	s.routes(e)
	if f.view != nil {
		known := p.Health.Gate("control", "which layout serves is not known yet")
		p.Go("control", func(ctx context.Context) error { return follow(ctx, known.Open) })
	}
	p.Go("layout", func(ctx context.Context) error {
		watch.File(ctx, cfg.LayoutFile, text, f.reload)
		f.controls.Wait()
		calls.Wait() // requests are over, so that these are only calls that lost
		f.close()
		l.close()
		return nil
	})
	s.readyWithReplicas(p)
	p.Serve(api.Server(e))
	t, _ := f.state()
	p.Log.Info("search starts", "layout", cfg.LayoutFile, "distribution", cfg.Distribution, "topic", t.layout.Topic, "shards", len(t.shards), "writable", t.log != nil)
	return p.Run(ctx)
}

// readyWithReplicas makes the root ready when every shard has a replica that can be asked. In the end a shard that is lost is what
// partial answers are for.
func (s *server) readyWithReplicas(p *process.Process) {
	ready := p.Health.Gate("shards", "not every shard has a replica that is ready")
	p.Go("first replicas", func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, s.cfg.FirstReplicas)
		defer cancel()
		if err := s.fleet.ready(ctx); err != nil {
			p.Log.Warn("ready without all shards", "error", err)
		}
		ready.Open()
		return nil
	})
}

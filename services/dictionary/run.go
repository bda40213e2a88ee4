package dictionary

import (
	"context"

	"github.com/flotilla-dev/flotilla/internal/api"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/services/dictionary/page"
	"github.com/flotilla-dev/flotilla/services/dictionary/recent"
)

// Run serves the dictionary until ctx ends.
func Run(ctx context.Context, cfg Config) error {
	if err := cfg.validate(); err != nil {
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
	m := newMetrics(p.Metrics)
	words := newSource(cfg, p, m)
	s := &server{
		words: words, pages: pages, metrics: m, instance: p.Instance,
		lists:  recent.New(recent.Bounds{Sessions: cfg.Sessions, Words: cfg.SessionWords, TTL: cfg.SessionTTL}, p.Metrics),
		public: publicPolicy(cfg),
	}
	e := api.New(p)
	s.routes(e, paced(cfg, m))
	p.Go("data", words.load)
	p.Serve(api.Server(e))
	return p.Run(ctx)
}

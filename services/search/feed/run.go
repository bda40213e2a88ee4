package feed

import (
	"context"
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/flotilla-dev/flotilla/internal/api"
	"github.com/flotilla-dev/flotilla/internal/httpclient"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/internal/upstream"
)

// Run brings the corpus in and then waits until ctx ends.
func Run(ctx context.Context, cfg Config) error {
	if err := cfg.validate(); err != nil {
		return err
	}
	p, err := process.Open(ctx, Program, cfg.Contract, cfg)
	if err != nil {
		return err
	}
	f, pool, err := newFeed(cfg, p)
	if err != nil {
		p.Close()
		return err
	}
	defer f.roots.CloseIdleConnections()
	defer f.files.CloseIdleConnections()
	in := p.Health.Gate("corpus", "the corpus is not in yet")
	p.Go("upstream", pool.Run)
	p.Go("feed", func(ctx context.Context) error {
		err := f.run(ctx)
		if err == nil {
			in.Open()
		}
		if ctx.Err() != nil {
			return nil
		}
		return err
	})
	e := api.New(p)
	f.routes(e)
	p.Serve(api.Server(e))
	return p.Run(ctx)
}

func newFeed(cfg Config, p *process.Process) (*feed, *upstream.Pool, error) {
	pool, err := upstream.New(upstream.Options{Name: "search", Address: cfg.Search, Intervals: cfg.Intervals, Health: cfg.Health, Log: p.Log, Metrics: p.Metrics})
	if err != nil {
		return nil, nil, err
	}
	once := retry.Settings{Limits: retry.Limits{RetryAttempts: 1}} // ask tries again, for longer than a client may
	roots, err1 := httpclient.New(httpclient.Options{Name: "search", Pool: pool, Timeout: cfg.Timeout, HeaderTimeout: cfg.Timeout, Retry: once, Metrics: p.Metrics})
	files, err2 := httpclient.New(httpclient.Options{Name: "corpus", Timeout: -1, HeaderTimeout: cfg.Silent, MaxBody: -1, Retry: once, Metrics: p.Metrics})
	if err := errors.Join(err1, err2); err != nil {
		return nil, nil, err
	}
	f := &feed{cfg: cfg, roots: roots, files: files, log: p.Log, seen: Progress{Corpus: cfg.Corpus, Mark: cfg.mark(), State: Asking}}
	p.Metrics.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "searchfeed_documents", Help: "Documents that roots have acknowledged."}, func() float64 { return float64(f.progress().Documents) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "searchfeed_lines", Help: "Lines of the corpus that were read."}, func() float64 { return float64(f.progress().Lines) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "searchfeed_wrong_lines", Help: "Lines of the corpus that are no documents."}, func() float64 { return float64(f.progress().Wrong) }),
	)
	return f, pool, nil
}

// routes are held together with openapi.yaml by a test.
func (f *feed) routes(e *echo.Echo) {
	e.GET("/v1/status", func(c echo.Context) error {
		c.Response().Header().Set("Cache-Control", "no-store")
		return c.JSON(http.StatusOK, f.progress())
	})
}

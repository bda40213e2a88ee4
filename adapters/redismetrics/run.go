package redismetrics

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/flotilla-dev/flotilla/internal/api"
	"github.com/flotilla-dev/flotilla/internal/problem"
	"github.com/flotilla-dev/flotilla/internal/process"
)

// Run serves the metrics of a Redis until ctx ends.
func Run(ctx context.Context, cfg Config) error {
	if err := cfg.validate(); err != nil {
		return err
	}
	p, err := process.Open(ctx, Program, cfg.Contract, cfg)
	if err != nil {
		return err
	}
	x, err := newExporter(&cfg, p.Log)
	if err != nil {
		p.Close()
		return err
	}
	p.Go("roots", func(ctx context.Context) error {
		x.roots.Watch(ctx, p.Log)
		return nil
	})
	e := api.New(p)
	routes(e, newServer(x))
	p.Serve(api.Server(e))
	return p.Run(ctx)
}

// routes are held together with openapi.yaml by a test.
func routes(e *echo.Echo, s *server) {
	e.GET("/metrics", s.metrics)
	e.GET("/scrape", s.scrape)
}

// server answers scrapes.
type server struct {
	*exporter
	turns chan struct{} // a Redis that hangs must not collect scrapes without end
}

// mostScrapes is how many scrapes are under way at once.
const mostScrapes = 8

func newServer(x *exporter) *server {
	return &server{exporter: x, turns: make(chan struct{}, mostScrapes)}
}

func (s *server) metrics(c echo.Context) error { return s.answer(c, s.target) }

// scrape shows another Redis than the configured one. Whoever asks chooses where
// this program connects to, so only allowed targets are asked.
func (s *server) scrape(c echo.Context) error {
	query := c.Request().URL.Query()
	for name := range query {
		if name != "target" {
			return s.refuse(problem.New(http.StatusBadRequest, "bad-request", "target is the only parameter of a scrape; which keys are checked is for the configuration to say"))
		}
	}
	t, err := parseTarget(query.Get("target"))
	if err != nil {
		return s.refuse(problem.New(http.StatusBadRequest, "target-invalid", "target: "+err.Error()+", without user and password"))
	}
	if !s.config.Targets.Allow(t.addr) {
		return s.refuse(problem.New(http.StatusForbidden, "target-not-allowed", "this target is none that REDISMETRICS_ALLOWED_TARGETS allows"))
	}
	return s.answer(c, t)
}

func (s *server) refuse(p *problem.Problem) error {
	s.refused.Add(1)
	return p
}

// answer makes a scrape. It takes no longer than the configured time, nor than
// Prometheus says that it waits, however the Redis behaves.
func (s *server) answer(c echo.Context, t target) error {
	ctx, cancel := context.WithTimeout(c.Request().Context(), patience(c.Request(), s.config.Timeout))
	defer cancel()
	if !s.turn(ctx) {
		return problem.New(http.StatusServiceUnavailable, "overloaded", "as many scrapes are under way as may be").Retry(time.Second)
	}
	defer func() { <-s.turns }()
	registry := prometheus.NewRegistry()
	registry.MustRegister(&scrape{exporter: s.exporter, ctx: ctx, target: t})
	// To compress forty kilobytes costs more than all the rest of a scrape.
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError, DisableCompression: true}).ServeHTTP(c.Response(), c.Request())
	return nil
}

// turn waits for a turn. One that comes when the time is over is given back: a Redis that was never asked is not down.
func (s *server) turn(ctx context.Context) bool {
	select {
	case s.turns <- struct{}{}:
		if ctx.Err() == nil {
			return true
		}
		<-s.turns
	case <-ctx.Done():
	}
	return false
}

// patience is how long a scrape may take: a bit less than the caller waits.
func patience(r *http.Request, most time.Duration) time.Duration {
	seconds, err := strconv.ParseFloat(r.Header.Get("X-Prometheus-Scrape-Timeout-Seconds"), 64)
	if err != nil || seconds <= 0 || seconds > 3600 {
		return most
	}
	return min(most, time.Duration(seconds*0.9*float64(time.Second)))
}

package dbhealth

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/flotilla-dev/flotilla/internal/api"
	"github.com/flotilla-dev/flotilla/internal/process"
)

// Run serves until ctx ends.
func Run(ctx context.Context, cfg Config) error {
	if err := cfg.validate(); err != nil {
		return err
	}
	p, err := process.Open(ctx, Program, cfg.Contract, cfg)
	if err != nil {
		return err
	}
	var e engine = mysqlEngine{}
	if cfg.Engine == Postgres {
		e = postgresEngine{}
	}
	checks, cancel := context.WithCancel(context.Background())
	m := newMonitor(checks, cfg, checker{cfg, e}.check, p.Log, newMetrics(p.Metrics))
	m.watch(p.Metrics)
	defer m.checks.Wait()
	defer cancel()
	router := api.New(p)
	routes(router, m)
	p.Serve(api.Server(router))
	return p.Run(ctx)
}

// routes are held together with openapi.yaml by a test.
func routes(e *echo.Echo, m *monitor) {
	e.GET("/database/livez", func(c echo.Context) error { return m.answer(c, func(r Report) bool { return r.Live }) })
	e.GET("/database/readyz", func(c echo.Context) error { return m.answer(c, func(r Report) bool { return r.Ready }) })
	e.GET("/v1/health", func(c echo.Context) error { return m.answer(c, func(r Report) bool { return r.Live && r.Ready }) })
}

// answer is 200 when it is so, else 503, with all that is known.
func (m *monitor) answer(c echo.Context, so func(Report) bool) error {
	r := m.report(m.look(c.Request().Context()))
	c.Response().Header().Set("Cache-Control", "no-store")
	if !so(r) {
		return c.JSON(http.StatusServiceUnavailable, r)
	}
	return c.JSON(http.StatusOK, r)
}

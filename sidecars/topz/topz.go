// Package topz is a sidecar that shows what the containers beside it do: it
// shares their process table and serves /topz, a page for people and JSON for
// programs, with the CPU, memory, threads and open files of every process.
//
// It needs nothing from the application, not even to know of it: whoever adds
// the sidecar to a pod can look into it.
package topz

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/procfs"

	"github.com/flotilla-dev/flotilla/internal/api"
	"github.com/flotilla-dev/flotilla/internal/config"
	"github.com/flotilla-dev/flotilla/internal/process"
)

// Program describes topz to operators and to the wiring test.
var Program = process.Program{
	Name:  "topz",
	About: "shows the processes of the containers that it shares a process table with",
}

// Config is the configuration of topz.
type Config struct {
	process.Contract
	Proc      string         `env:"TOPZ_PROC,notEmpty" envDefault:"/proc" doc:"where the process table is mounted"`
	Interval  time.Duration  `env:"TOPZ_INTERVAL" envDefault:"1s" doc:"how often processes are looked at; CPU is the share of this time"`
	Processes int            `env:"TOPZ_PROCESSES" envDefault:"512" doc:"most processes that are shown; those with the lowest numbers come first, and the page says how many are left out"`
	Arguments process.Switch `env:"TOPZ_ARGUMENTS" envDefault:"on" doc:"on: command lines are shown, without the values of what looks like a secret; off: only the names of programs"`
}

// Validate names every value that makes no sense.
func (c *Config) Validate() error {
	var wrong config.Error
	if c.Interval < 100*time.Millisecond || c.Interval > time.Minute {
		wrong.Add("TOPZ_INTERVAL", "want 100ms to 1m")
	}
	if c.Processes < 1 || c.Processes > 10_000 {
		wrong.Add("TOPZ_PROCESSES", "want 1 to 10000")
	}
	return wrong.Err()
}

// Run serves until ctx ends.
func Run(ctx context.Context, cfg Config) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	fs, err := procfs.NewFS(cfg.Proc)
	if err != nil {
		return fmt.Errorf("open TOPZ_PROC: %w", err)
	}
	p, err := process.Open(ctx, Program, cfg.Contract, cfg)
	if err != nil {
		return err
	}
	s := newSampler(fs, cfg)
	if err := s.sample(); err != nil { // from here on there is something to show
		p.Close()
		return err
	}
	p.Metrics.MustRegister(collector{s})
	p.Go("sample", s.run)
	e := api.New(p)
	routes(e, &handler{s})
	p.Serve(api.Server(e))
	return p.Run(ctx)
}

// routes are held together with openapi.yaml by a test.
func routes(e *echo.Echo, h *handler) {
	e.Match([]string{http.MethodGet, http.MethodHead}, "/topz", h.topz)
	e.GET("/", func(c echo.Context) error { return c.Redirect(http.StatusFound, "/topz") })
}

package experiment

import (
	"context"
	"log/slog"
	"net/http/httputil"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flotilla-dev/flotilla/ambassadors/experiment/arm"
	"github.com/flotilla-dev/flotilla/ambassadors/experiment/identity"
	"github.com/flotilla-dev/flotilla/ambassadors/experiment/plan"
	"github.com/flotilla-dev/flotilla/ambassadors/experiment/shadow"
	"github.com/flotilla-dev/flotilla/internal/certs"
	"github.com/flotilla-dev/flotilla/internal/measure"
)

// A Server splits requests. It is the http.Handler of the data listener, and the transport of its own proxy.
type Server struct {
	cfg        *Config
	log        *slog.Logger
	registry   prometheus.Registerer
	metrics    *metrics
	roots      *certs.Roots
	source     identity.Source
	production *arm.Arm
	answered   *measure.Series // by production, all together
	memory     *shadow.Memory
	proxy      *httputil.ReverseProxy

	table atomic.Pointer[table]
	run   context.Context // of arms and shadows

	mu         sync.Mutex // guards all below: one file is loaded at a time
	generation int
	broken     error // what is wrong with the newest file; nil: it is in use
	work       sync.WaitGroup
}

func newServer(run context.Context, cfg *Config, log *slog.Logger, registry prometheus.Registerer, roots *certs.Roots) (*Server, error) {
	s := &Server{cfg: cfg, log: log, registry: registry, metrics: newMetrics(registry), roots: roots, run: run,
		source: identity.Source{Cookie: cfg.Cookie, Trusted: cfg.Trusted}, memory: shadow.NewMemory(int64(cfg.ShadowMemory)),
		answered: measure.NewSeries(window, nil)}
	var err error
	s.production, err = arm.New(arm.Options{Name: plan.Production, Address: cfg.Production, TLS: clientTLS(roots, cfg.TLSName),
		Intervals: cfg.Intervals, Health: cfg.Health, Limits: cfg.Limits, Connect: cfg.Connect, Head: cfg.Head, Wait: cfg.Wait,
		MaxConns: cfg.MaxConns, Log: log,
		Metrics: prometheus.WrapRegistererWith(prometheus.Labels{"generation": "0"}, registry)}) // as those of experiments
	if err != nil {
		return nil, err
	}
	s.proxy = s.newProxy()
	s.table.Store(&table{plan: &plan.Plan{}})
	registry.MustRegister(&collector{s})
	return s, nil
}

// close waits for everything that run has ended.
func (s *Server) close() { s.work.Wait() }

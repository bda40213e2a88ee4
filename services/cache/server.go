package cache

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"

	"github.com/flotilla-dev/flotilla/internal/forwarded"
	"github.com/flotilla-dev/flotilla/services/cache/accesslog"
	"github.com/flotilla-dev/flotilla/services/cache/http1"
	"github.com/flotilla-dev/flotilla/services/cache/limit"
	"github.com/flotilla-dev/flotilla/services/cache/origin"
	"github.com/flotilla-dev/flotilla/services/cache/policy"
	"github.com/flotilla-dev/flotilla/services/cache/store"
)

// Options are the parts of a server.
type Options struct {
	Store   *store.Store
	Origin  *origin.Client
	Policy  *policy.Policy
	Log     *slog.Logger
	Access  *accesslog.Log
	Trusted forwarded.Trusted
	// Name is this cache's in Cache-Status and Via.
	Name        string
	MaxWaiters  int
	WaitTimeout time.Duration
	MaxBody     int64
	// ClientTLS says that clients connect by TLS.
	ClientTLS bool
	Tracing   bool
	// Admission may be nil.
	Admission Admission
	// Doubt, if set, reports that a purge or ban may have been missed: then no stored response is sent
	// without validation.
	Doubt func() bool
	// Limits is told the limits of a policy that was reloaded; nil: nobody is.
	Limits func(limit.Limits) error

	metrics *metrics
}

// Server is the cache as an http1.Handler.
type Server struct {
	Options
	access  *accesslog.Log
	policy  atomic.Pointer[policy.Policy]
	flights flights
	via     string
	tracer  trace.Tracer

	fillCtx  context.Context // of upstream requests that outlive their client
	stopFill context.CancelFunc
	fills    sync.WaitGroup
}

func newServer(o Options) *Server {
	s := &Server{Options: o, access: o.Access, via: "1.1 " + o.Name, tracer: otel.Tracer("flotilla/cache")}
	if s.metrics == nil {
		s.metrics = newMetrics(nil)
	}
	s.policy.Store(o.Policy)
	s.flights.init()
	s.fillCtx, s.stopFill = context.WithCancel(context.Background())
	return s
}

// ServeHTTP1 answers one request.
func (s *Server) ServeHTTP1(c *http1.Conn) {
	x := exchangeOf(s, c)
	x.begin()
	x.serve()
	x.end()
}

// reload replaces the policy; one with mistakes changes nothing.
func (s *Server) reload(content []byte) {
	p, err := policy.Parse(content)
	if err != nil {
		s.metrics.policyErrors.Inc()
		s.Log.Error("policy not reloaded, the old one stays", "error", err)
		return
	}
	if s.Limits != nil {
		if err := s.Limits(p.Limits); err != nil {
			s.metrics.policyErrors.Inc()
			s.Log.Error("policy not reloaded, the old one stays", "error", err)
			return
		}
	}
	s.policy.Store(p)
	s.Log.Info("policy reloaded", "routes", len(p.Routes()))
}

// runFills cancels, when ctx ends, the upstream requests that nobody waits for any more, and waits for
// them.
func (s *Server) runFills(ctx context.Context) error {
	<-ctx.Done()
	s.stopFill()
	done := make(chan struct{})
	go func() { s.fills.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(drainFills):
		s.Log.Warn("upstream requests did not end in time")
	}
	return nil
}

func (s *Server) inDoubt() bool { return s.Doubt != nil && s.Doubt() }

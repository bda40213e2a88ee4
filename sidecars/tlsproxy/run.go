package tlsproxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"go.opentelemetry.io/otel"

	"github.com/flotilla-dev/flotilla/internal/certs"
	"github.com/flotilla-dev/flotilla/internal/process"
)

// Run serves until ctx ends; see package process for how it ends.
func Run(ctx context.Context, cfg Config) error {
	if err := cfg.validate(); err != nil {
		return err
	}
	contract := cfg.Contract
	contract.TLSCertFile, contract.TLSKeyFile = "", "" // the contract's TLS has no HTTP/2
	p, err := process.Open(ctx, Program, contract, cfg)
	if err != nil {
		return err
	}
	s, err := assemble(p, &cfg)
	if err != nil {
		p.Close()
		return err
	}
	p.Serve(s)
	return p.Run(ctx)
}

// assemble makes the server, and starts what watches files.
func assemble(p *process.Process, cfg *Config) (*server, error) {
	pair, err := cfg.pair()
	if err != nil {
		return nil, err
	}
	store, err := certs.Open(pair)
	if err != nil {
		return nil, err
	}
	m := newMetrics(p.Metrics, store)
	app := newApplication(cfg, m)
	o := &observer{log: p.Log, cfg: cfg, metrics: m, tunnels: &tunnels{gauge: m.tunnels}}
	if p.Tracing {
		o.tracer = otel.Tracer("github.com/flotilla-dev/flotilla/sidecars/tlsproxy")
	}
	g := &gate{next: newProxy(app, o), slots: make(chan struct{}, cfg.Requests), cfg: cfg}
	s := newServer(cfg, p.Log, store, o.tunnels, o.wrap(p.Faults.Wrap(http.HandlerFunc(g.admit))))
	tickets, err := certs.OpenTickets(cfg.TicketSecret, s.tls)
	if err != nil {
		return nil, err
	}
	p.Go("certificate", func(ctx context.Context) error { store.Watch(ctx, p.Log); return nil })
	p.Go("session tickets", func(ctx context.Context) error { tickets.Run(ctx, p.Log); return nil })
	p.Health.Ready("application", func(ctx context.Context) error {
		if app.reachable(ctx) != nil {
			return errors.New("it accepts no connection on " + app.addr)
		}
		return nil
	})
	p.Log.Info("fronting", "application", app.addr, "certificate", pair.CertFile, "expires", fmt.Sprint(store.Status().Expiry))
	return s, nil
}

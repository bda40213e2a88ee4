package edge

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"

	"go.opentelemetry.io/otel"

	"github.com/flotilla-dev/flotilla/internal/certs"
	"github.com/flotilla-dev/flotilla/internal/front"
	"github.com/flotilla-dev/flotilla/internal/guard"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/watch"
	"github.com/flotilla-dev/flotilla/services/edge/routes"
)

// Run serves until ctx ends; see package process for how it ends.
func Run(ctx context.Context, cfg Config) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	contract := cfg.Contract
	contract.TLSCertFile, contract.TLSKeyFile = "", "" // the edge does TLS itself, with several certificates
	p, err := process.Open(ctx, Program, contract, cfg)
	if err != nil {
		return err
	}
	e, configs, err := assemble(p, &cfg)
	if err != nil {
		p.Close()
		return err
	}
	servers, err := e.listen(ctx, p, configs)
	if err != nil {
		p.Close()
		return err
	}
	ready := p.Health.Gate("upstreams", "the upstreams were not found yet")
	p.Go("first replicas", func(ctx context.Context) error {
		// In the end an answer of 503 says more than a refused connection.
		ctx, cancel := context.WithTimeout(ctx, cfg.FirstReplicas)
		defer cancel()
		if err := e.sites.wait(ctx); err != nil {
			p.Log.Warn("ready without a replica", "error", err)
		}
		ready.Open()
		close(e.found)
		return nil
	})
	stop := context.AfterFunc(ctx, func() { e.leave(servers) })
	defer stop()
	return p.Run(ctx)
}

// leave begins the drain, before the listeners are closed: answers ask clients
// to open their next connection elsewhere. A listener that other edges share is
// left at once, so that the next connection is surely not ours.
func (e *edge) leave(servers []*server) {
	e.closing.Store(true)
	for i, addr := range []string{e.cfg.ListenAddr, e.cfg.HTTPAddr} {
		if i < len(servers) && front.Shared(addr) {
			servers[i].StopAccepting()
		}
	}
}

// assemble makes all but the listeners, and starts what watches files.
func assemble(p *process.Process, cfg *Config) (*edge, tlsConfigs, error) {
	pairs, err := cfg.pairs()
	if err != nil {
		return nil, tlsConfigs{}, err
	}
	store, err := certs.Open(pairs...)
	if err != nil {
		return nil, tlsConfigs{}, err
	}
	e := &edge{cfg: cfg, limits: cfg.front(), log: p.Log, certs: store, metrics: newMetrics(p.Metrics), workers: &workers{}, found: make(chan struct{}), guard: guard.New(cfg.Connections, cfg.PerAddress)}
	if e.trusted, err = cfg.trusted(); err != nil {
		return nil, tlsConfigs{}, err
	}
	if e.access, err = openAccessLog(cfg.AccessLog, e.metrics.dropped); err != nil {
		return nil, tlsConfigs{}, err
	}
	if p.Tracing {
		e.tracer = otel.Tracer("github.com/flotilla-dev/flotilla/services/edge")
	}
	configs := newTLSConfigs(store)
	tickets, err := certs.OpenTickets(cfg.TicketSecret, configs.tcp, configs.quic)
	if err != nil {
		return nil, tlsConfigs{}, err
	}
	if err := e.loadRoutes(p); err != nil {
		return nil, tlsConfigs{}, err
	}
	watchState(p.Metrics, e.guard, store, e.sites)
	p.Go("certificates", func(ctx context.Context) error { store.Watch(ctx, p.Log); return nil })
	p.Go("workers", func(ctx context.Context) error { e.workers.run(ctx); return nil })
	p.Go("session tickets", func(ctx context.Context) error { tickets.Run(ctx, p.Log); return nil })
	if e.access != nil {
		p.Go("access log", func(ctx context.Context) error { e.access.run(ctx, p.Log); return nil })
	}
	return e, configs, nil
}

// tlsConfigs are the settings of the two kinds of listeners.
type tlsConfigs struct{ tcp, quic *tls.Config }

func newTLSConfigs(store *certs.Store) tlsConfigs {
	c := tlsConfigs{tcp: store.Server("h2", "http/1.1"), quic: store.Server("h3")}
	c.quic.MinVersion = tls.VersionTLS13
	// Small first records would show the first bytes earlier on slow links, at the
	// price of a system call for each.
	c.tcp.DynamicRecordSizingDisabled = true
	return c
}

// loadRoutes reads the routes and follows their file.
func (e *edge) loadRoutes(p *process.Process) error {
	ctx, cancel := context.WithCancel(context.Background())
	e.sites = newSites(ctx, e.cfg, p.Log, p.Metrics, e.metrics)
	text, err := e.routesText()
	if err == nil {
		err = e.sites.load(text)
	}
	if err != nil {
		cancel()
		e.sites.work.Wait()
		return err
	}
	p.Go("routes", func(ctx context.Context) error {
		defer e.sites.work.Wait()
		defer cancel()
		if e.cfg.RoutesFile == "" {
			<-ctx.Done()
			return nil
		}
		watch.File(ctx, e.cfg.RoutesFile, text, e.reload)
		return nil
	})
	return nil
}

func (e *edge) routesText() ([]byte, error) {
	if e.cfg.RoutesFile == "" {
		return routes.Fleet(), nil
	}
	return watch.Read(e.cfg.RoutesFile)
}

func (e *edge) reload(text []byte) {
	if err := e.sites.load(text); err != nil {
		e.metrics.reloads.WithLabelValues("refused").Inc()
		e.log.Error("routes not reloaded, the old ones stay", "file", e.cfg.RoutesFile, "error", err)
		return
	}
	e.metrics.reloads.WithLabelValues("ok").Inc()
	e.log.Info("routes reloaded", "file", e.cfg.RoutesFile)
}

// listen opens the listeners beside the process's own and registers all servers.
func (e *edge) listen(ctx context.Context, p *process.Process, configs tlsConfigs) ([]*server, error) {
	var plain net.Listener
	var q *quicServer
	var err error
	if e.cfg.HTTPAddr != "off" {
		if plain, err = process.Listen(ctx, e.cfg.HTTPAddr); err != nil {
			return nil, fmt.Errorf("redirect listener: %w", err)
		}
	}
	if e.cfg.HTTP3Addr != "off" && e.cfg.HTTP3Addr != elsewhere {
		if q, err = e.listenQUIC(configs.quic); err != nil {
			if plain != nil {
				err = errors.Join(err, plain.Close())
			}
			return nil, err
		}
	}
	e.announce(e.cfg.HTTP3Addr != "off")
	servers := []*server{newServer(e, configs.tcp)}
	servers[0].Hold = func() { front.HoldOff(ctx, e.cfg.ListenAddr, e.found) }
	p.Serve(servers[0])
	httpAddr, http3Addr := "", ""
	if plain != nil {
		servers = append(servers, newServer(e, nil))
		p.ServeOn(plain, servers[1])
		httpAddr = plain.Addr().String()
	}
	if q != nil {
		p.Go("HTTP/3", func(context.Context) error {
			front.HoldOff(ctx, e.cfg.HTTP3Addr, e.found)
			return q.serve()
		})
		servers[0].beside = q
		http3Addr = q.Addr().String()
	}
	p.Log.Info("fronting", "hosts", e.sites.names(), "http", httpAddr, "http3", http3Addr)
	if e.cfg.OnExtra != nil {
		e.cfg.OnExtra(httpAddr, http3Addr)
	}
	return servers, nil
}

func (e *edge) listenQUIC(config *tls.Config) (*quicServer, error) {
	udp, err := openUDP(e.cfg.HTTP3Addr)
	if err != nil {
		return nil, fmt.Errorf("HTTP/3 listener: %w", err)
	}
	q, err := newQUIC(e, udp, config)
	if err != nil {
		return nil, errors.Join(err, udp.Close())
	}
	return q, nil
}

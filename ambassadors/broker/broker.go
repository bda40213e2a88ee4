package broker

import (
	"context"
	"net"
	"sync"

	"github.com/flotilla-dev/flotilla/ambassadors/broker/protocol"
	"github.com/flotilla-dev/flotilla/ambassadors/broker/target"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/tcpserve"
)

// Run serves until ctx ends.
func Run(ctx context.Context, cfg Config) error {
	if err := cfg.validate(); err != nil {
		return err
	}
	b := &proxy{cfg: cfg, links: &target.Links{Drain: cfg.Drain}}
	told := cfg.OnListen
	cfg.OnListen = func(data, admin net.Addr) {
		b.own = data
		if told != nil {
			told(data, admin)
		}
	}
	p, err := process.Open(ctx, Program, cfg.Contract, cfg)
	if err != nil {
		return err
	}
	if err := b.open(p); err != nil {
		p.Close()
		return err
	}
	defer b.pool.Close()
	return p.Run(ctx)
}

// open puts the parts together.
func (b *proxy) open(p *process.Process) error {
	needed := make(chan struct{})
	all, err := sources(p, b.cfg, needed)
	if err != nil {
		return err
	}
	b.log, b.metrics = p.Log, newMetrics(p.Metrics)
	b.pool = target.New(target.Options{
		Interval: b.cfg.CheckInterval, Timeout: b.cfg.CheckTimeout, Up: b.cfg.CheckUp, Down: b.cfg.CheckDown, Check: b.check, Log: p.Log,
		Changed: func(active *target.Target) {
			if active != nil {
				b.metrics.changes.Inc()
				p.Log.Info("new connections go to", "address", active.Address)
			}
			b.links.Moved(active)
		},
	})
	// Ready means to know what the sources say, not that there is a database: an
	// application decides for itself what it can do without one.
	known := p.Health.Gate("sources", "not all sources have answered yet")
	b.directory = newDirectory(all, p.Log)
	b.directory.changed = func(r Resolution) {
		if !r.Pending {
			known.Open()
		}
		b.pool.Become(r.Candidates)
	}
	b.directory.needed = sync.OnceFunc(func() { close(needed) })
	p.Go("sources", b.directory.run)
	server := &tcpserve.Server{Handle: b.handle, MaxConns: b.cfg.MaxConns, Log: p.Log, Refuse: b.full}
	observe(p.Metrics, server, b.directory, b.pool, b.links)
	p.Admin.Protect("GET /v1/target", status(b, server))
	p.Serve(server)
	return nil
}

// check is one active check of an address.
func (b *proxy) check(ctx context.Context, address string) error {
	conn, err := dial(ctx, address, b.own)
	if err != nil {
		return err
	}
	defer conn.Close()
	return b.cfg.Protocol.Check(ctx, conn, b.cfg.CheckUser)
}

// full refuses a connection over the limit.
func (b *proxy) full(client net.Conn) {
	b.metrics.connections.WithLabelValues("full").Inc()
	if b.mayLog("full") {
		b.log.Warn("connection refused", "kind", "full", "most", b.cfg.MaxConns)
	}
	ctx, cancel := context.WithTimeout(context.Background(), tcpserve.RefuseTimeout)
	defer cancel()
	b.cfg.Protocol.Refuse(ctx, client, protocol.Refusal{Full: true, Reason: "broker: too many connections"})
}

package memcacheshard

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"sync/atomic"

	"github.com/flotilla-dev/flotilla/ambassadors/memcacheshard/link"
	"github.com/flotilla-dev/flotilla/ambassadors/memcacheshard/pool"
	"github.com/flotilla-dev/flotilla/ambassadors/memcacheshard/session"
	"github.com/flotilla-dev/flotilla/ambassadors/memcacheshard/shard"
	"github.com/flotilla-dev/flotilla/ambassadors/memcacheshard/wire"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/tcpserve"
	"github.com/flotilla-dev/flotilla/internal/watch"
)

const (
	// maxBacklog is how many bytes may wait to be written to a server before clients
	// wait, too.
	maxBacklog = 4 << 20
	// maxLine is how long the line of a retrieval of many keys may be.
	maxLine = 1 << 20
)

// Run serves until ctx ends.
func Run(ctx context.Context, cfg Config) error {
	if err := cfg.validate(); err != nil {
		return err
	}
	s, err := cfg.load()
	if err != nil {
		return err
	}
	if cfg.Threads > 0 {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cfg.Threads))
	}
	cfg.ListenAddr = cfg.listen(s.pools[0])
	p, err := process.Open(ctx, Program, cfg.Contract, cfg)
	if err != nil {
		return err
	}
	if err := serve(ctx, p, cfg, s); err != nil {
		p.Close()
		return err
	}
	return p.Run(ctx)
}

// serve starts all that serves.
func serve(ctx context.Context, p *process.Process, cfg Config, s setup) error {
	f, err := newFleet(s, cfg.poolOptions(p), p.Metrics)
	if err != nil {
		return err
	}
	for _, one := range f.pools {
		p.Go("pool "+one.Name(), one.Run)
	}
	if err := f.listen(ctx, p, cfg); err != nil {
		return err
	}
	f.administer(p.Admin)
	f.watch(p, "configuration", cfg.ConfigFile, s.text, f.reloadPools)
	f.watch(p, "replicas", cfg.ReplicasFile, s.replicaText, f.reloadReplicas)
	return nil
}

func (f *fleet) watch(p *process.Process, name, file string, seen []byte, reload func([]byte)) {
	if file == "" {
		return
	}
	p.Go(name, func(ctx context.Context) error {
		watch.File(ctx, file, seen, reload)
		return nil
	})
}

func (c Config) poolOptions(p *process.Process) pool.Options {
	return pool.Options{
		Shard:   shard.Options{Link: link.Options{MaxCalls: c.InFlight, MaxBytes: maxBacklog, MaxAnswer: int(c.MaxAnswer)}},
		Timeout: c.Timeout, Metrics: pool.NewMetrics(p.Metrics), Log: p.Log,
	}
}

// listen gives every pool its listener; the first one has that of the process.
func (f *fleet) listen(ctx context.Context, p *process.Process, cfg Config) error {
	memory := &session.Memory{Limit: int64(cfg.Memory)}
	metrics := session.NewMetrics(p.Metrics)
	servers := map[string]*tcpserve.Server{}
	addrs := map[string]net.Addr{}
	var clients atomic.Uint64
	for i, one := range f.pools {
		o := &session.Options{
			Pool: one, Limits: wire.Limits{Data: int(cfg.MaxItem), Line: maxLine}, Pipeline: cfg.Pipeline, WriteTimeout: cfg.WriteTimeout,
			DownIsMiss: bool(cfg.Down), FlushAll: bool(cfg.FlushAll), Memory: memory, Metrics: metrics,
		}
		server := &tcpserve.Server{MaxConns: cfg.Clients, Refuse: refuse, Log: p.Log, Handle: func(ctx context.Context, conn net.Conn) {
			session.New(o, conn, clients.Add(1)).Serve(ctx)
		}}
		if n := one.Config().ClientConnections; n > 0 {
			server.MaxConns = n
		}
		o.Stats = stats(one, server, metrics)
		servers[one.Name()] = server
		if i == 0 {
			p.Serve(server)
			continue
		}
		ln, err := process.Listen(ctx, one.Config().Listen)
		if err != nil {
			return fmt.Errorf("listener of pool %s: %w", one.Name(), err)
		}
		addrs[one.Name()] = ln.Addr()
		p.ServeOn(ln, server)
	}
	registerServers(p.Metrics, servers, memory)
	if cfg.OnPools != nil {
		cfg.OnPools(addrs)
	}
	return nil
}

func refuse(conn net.Conn) {
	_, _ = conn.Write([]byte("ERROR Too many open connections\r\n")) // it is closed in any case
}

package redisshard

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"

	"github.com/flotilla-dev/flotilla/ambassadors/redisshard/pool"
	"github.com/flotilla-dev/flotilla/ambassadors/redisshard/session"
	"github.com/flotilla-dev/flotilla/ambassadors/redisshard/shard"
	"github.com/flotilla-dev/flotilla/internal/certs"
	"github.com/flotilla-dev/flotilla/internal/nutcracker"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/tcpserve"
	"github.com/flotilla-dev/flotilla/internal/watch"
)

// maxBacklog is how many bytes may wait to be written to a server before clients
// wait, too.
const maxBacklog = 4 << 20

// Run serves until ctx ends.
func Run(ctx context.Context, cfg Config) error {
	if err := cfg.validate(); err != nil {
		return err
	}
	confs, text, err := cfg.load()
	if err != nil {
		return err
	}
	roots, err := certs.OpenRoots(cfg.CAFile)
	if err != nil {
		return err
	}
	if cfg.Threads > 0 {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cfg.Threads))
	}
	cfg.ListenAddr = cfg.listen(confs[0])
	p, err := process.Open(ctx, Program, cfg.Contract, cfg)
	if err != nil {
		return err
	}
	if err := serve(ctx, p, cfg, confs, text, roots); err != nil {
		p.Close()
		return err
	}
	return p.Run(ctx)
}

// serve starts all that serves.
func serve(ctx context.Context, p *process.Process, cfg Config, confs []nutcracker.Pool, text []byte, roots *certs.Roots) error {
	f, err := newFleet(confs, cfg.poolOptions(p, roots), p.Metrics)
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
	if cfg.TLS {
		p.Go("roots", func(ctx context.Context) error { roots.Watch(ctx, p.Log); return nil })
	}
	if cfg.ConfigFile != "" {
		p.Go("configuration", func(ctx context.Context) error {
			watch.File(ctx, cfg.ConfigFile, text, f.reload)
			return nil
		})
	}
	return nil
}

func (c Config) poolOptions(p *process.Process, roots *certs.Roots) pool.Options {
	o := pool.Options{
		Shard: shard.Options{
			User: c.User, PasswordFile: c.PasswordFile,
			MaxReply: int(c.MaxReply), MaxFlight: c.InFlight, MaxBacklog: maxBacklog, MaxWatch: c.Watches,
		},
		Timeout: c.Timeout, Metrics: pool.NewMetrics(p.Metrics), Log: p.Log,
	}
	o.Replicas, _ = c.replicas() // validated
	if c.TLS {
		o.Shard.TLS = roots.Client(c.ServerName)
	}
	return o
}

// listen gives every pool its listener; the first one has that of the process.
func (f *fleet) listen(ctx context.Context, p *process.Process, cfg Config) error {
	memory := &session.Memory{Limit: int64(cfg.Memory)}
	metrics := session.NewMetrics(p.Metrics)
	servers := map[string]*tcpserve.Server{}
	addrs := map[string]net.Addr{}
	for i, one := range f.pools {
		o := &session.Options{
			Pool: one, Password: password(one, cfg.ClientPasswordFile),
			MaxCommand: int(cfg.MaxCommand), MaxPipeline: cfg.Pipeline, MaxReplies: int(cfg.ClientMemory), Memory: memory,
			WriteTimeout: cfg.WriteTimeout, Faults: p.Faults, Log: p.Log.With("pool", one.Name()), Metrics: metrics,
		}
		server := &tcpserve.Server{MaxConns: cfg.Clients, Refuse: refuse, Log: p.Log, Handle: func(ctx context.Context, conn net.Conn) { session.Serve(ctx, conn, o) }}
		if n := one.Config().ClientConnections; n > 0 {
			server.MaxConns = n
		}
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
	_, _ = conn.Write([]byte("-ERR max number of clients reached\r\n")) // it is closed in any case
}

// password is what clients of a pool have to give.
func password(p *pool.Pool, file string) func() (string, error) {
	return func() (string, error) {
		if auth := p.Config().RedisAuth; auth != "" || file == "" {
			return auth, nil
		}
		text, err := watch.Read(file)
		if err != nil {
			return "", fmt.Errorf("REDISSHARD_CLIENT_PASSWORD_FILE: %w", err)
		}
		if strings.TrimSpace(string(text)) == "" {
			return "", errors.New("REDISSHARD_CLIENT_PASSWORD_FILE is empty")
		}
		return strings.TrimSpace(string(text)), nil
	}
}

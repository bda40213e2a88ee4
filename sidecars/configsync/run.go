package configsync

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/flotilla-dev/flotilla/internal/api"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/sidecars/configsync/folder"
	"github.com/flotilla-dev/flotilla/sidecars/configsync/follow"
	"github.com/flotilla-dev/flotilla/sidecars/configsync/notify"
)

// Run keeps the files until ctx ends.
func Run(ctx context.Context, cfg Config) error {
	if err := cfg.validate(); err != nil {
		return err
	}
	if err := os.MkdirAll(cfg.dir(), 0o755); err != nil {
		return fmt.Errorf("directory of the files: %w", err)
	}
	etcd, err := cfg.Etcd.Open(ctx)
	if err != nil {
		return err
	}
	defer etcd.Close()
	p, err := process.Open(ctx, Program, cfg.Contract, cfg)
	if err != nil {
		return err
	}
	s, err := assemble(p, cfg, etcd)
	if err != nil {
		p.Close()
		return err
	}
	defer s.folder.Close()
	e := api.New(p)
	s.routes(e)
	p.Serve(api.Server(e))
	return p.Run(ctx)
}

// assemble makes the parts and starts what works behind them.
func assemble(p *process.Process, cfg Config, etcd *clientv3.Client) (*sidecar, error) {
	m := newMetrics(p.Metrics)
	f, err := folder.Open(folder.Options{
		Dir: cfg.dir(), Name: cfg.name, Deletes: cfg.Prefix != "", MaxSize: int64(cfg.MaxSize), Mode: fs.FileMode(cfg.Mode),
		Syntax: cfg.Syntax, Command: folder.Command{Words: strings.Fields(cfg.Validate), Timeout: cfg.ValidateTimeout}, Log: p.Log, Count: m.write,
	})
	if err != nil {
		return nil, fmt.Errorf("directory of the files: %w", err)
	}
	s := &sidecar{
		log: p.Log, metrics: m, folder: f,
		notifier: notify.New(notify.Options{Signal: cfg.Signal, PIDFile: cfg.PIDFile, Process: cfg.Process, Log: p.Log, Count: m.signal}),
	}
	m.watch(p.Metrics, s)
	follower := &follow.Follower{
		Etcd: etcd, Key: cfg.Key + cfg.Prefix, Prefix: cfg.Prefix != "", MaxKeys: cfg.MaxFiles, Timeout: cfg.Etcd.Timeout, Resync: cfg.Resync,
		Seen: s.seen, Lost: s.lost,
	}
	p.Health.Ready("files", func(context.Context) error { return s.ready(cfg.Ready) })
	p.Go("etcd", func(ctx context.Context) error { follower.Run(ctx); return nil })
	p.Go("signal", func(ctx context.Context) error { s.notifier.Run(ctx); return nil })
	return s, nil
}

// ready says whether the application may be started, or go on.
func (s *sidecar) ready(when When) error {
	switch when {
	case "file":
		for _, file := range s.folder.Status() {
			if file.SHA256 != "" {
				return nil
			}
		}
		return errors.New("there is no file yet")
	case "synced":
		if !s.Status().Etcd.Synced {
			return errors.New("etcd was not reached yet")
		}
	}
	return nil
}

package experiment

import (
	"context"
	"errors"
	"io/fs"

	"github.com/flotilla-dev/flotilla/internal/api"
	"github.com/flotilla-dev/flotilla/internal/certs"
	"github.com/flotilla-dev/flotilla/internal/httpclient"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/watch"
)

// Run splits requests until ctx ends.
func Run(ctx context.Context, cfg Config) error {
	if err := cfg.validate(); err != nil {
		return err
	}
	roots, err := certs.OpenRoots(cfg.CAFile)
	if err != nil {
		return err
	}
	p, err := process.Open(ctx, Program, cfg.Contract, cfg)
	if err != nil {
		return err
	}
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	s, err := newServer(run, &cfg, p.Log, p.Metrics, roots)
	if err != nil {
		p.Close()
		return err
	}
	p.Go("production", s.production.Run)
	p.Go("roots", func(ctx context.Context) error { roots.Watch(ctx, p.Log); return nil })
	content := s.first()
	p.Go("file", func(ctx context.Context) error {
		if cfg.ConfigFile != "" {
			watch.File(ctx, cfg.ConfigFile, content, s.load)
		}
		<-ctx.Done()
		cancel()
		s.close()
		return nil
	})
	p.Go("budgets", s.judge)
	usable := p.Health.Gate("production", "no replica was usable yet")
	p.Go("first replica", func(ctx context.Context) error {
		s.await(ctx, s.table.Load().running())
		if s.production.Await(ctx) == nil {
			usable.Open()
		}
		return nil
	})
	s.routes(p.Admin.Protect)
	p.Serve(api.Server(httpclient.Deadline(cfg.Whole, p.Faults.Wrap(s))))
	p.Log.Info("experiment starts", "production", cfg.Production.String(), "file", cfg.ConfigFile)
	return p.Run(ctx)
}

// first loads the file that is there at the start. One that is missing or broken means production alone: what
// decides about experiments must not be able to take the service away.
func (s *Server) first() []byte {
	if s.cfg.ConfigFile == "" {
		return nil
	}
	content, err := watch.Read(s.cfg.ConfigFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.log.Warn("there is no file of experiments yet: production alone", "file", s.cfg.ConfigFile)
		return nil
	case err != nil:
		s.log.Error("the file of experiments cannot be read: production alone", "error", err)
		return nil
	}
	s.load(content)
	return content
}

package gitsync

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"

	"github.com/labstack/echo/v4"

	"github.com/flotilla-dev/flotilla/internal/api"
	"github.com/flotilla-dev/flotilla/internal/certs"
	"github.com/flotilla-dev/flotilla/internal/httpclient"
	"github.com/flotilla-dev/flotilla/internal/notify"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/sidecars/gitsync/place"
	"github.com/flotilla-dev/flotilla/sidecars/gitsync/source"
)

// Run keeps the directory equal to the repository until ctx ends, or, with
// GITSYNC_ONCE, until it is so.
func Run(ctx context.Context, cfg Config) error {
	if err := cfg.validate(); err != nil {
		return err
	}
	p, err := process.Open(ctx, Program, cfg.Contract, cfg)
	if err != nil {
		return err
	}
	directory, err := place.Open(cfg.Root, cfg.Link, place.Options{Keep: cfg.Keep, Most: cfg.KeepMost})
	if err != nil {
		p.Close()
		return fmt.Errorf("take GITSYNC_ROOT: %w", err)
	}
	defer directory.Close()
	s, idle, err := newSyncer(cfg, p, directory)
	if err != nil {
		p.Close()
		return err
	}
	defer idle()
	s.resume()
	if cfg.Once {
		defer p.Close() // an init container has no callers: nothing is served
		return untilThere(ctx, s)
	}
	return serve(ctx, cfg, p, s)
}

// newSyncer opens the source. idle is called when it is not used any more.
func newSyncer(cfg Config, p *process.Process, directory *place.Place) (s *syncer, idle func(), err error) {
	s = &syncer{
		cfg: cfg, log: p.Log, place: directory, forget: func() error { return nil },
		status: newBoard(cfg, newMetrics(p.Metrics), p.Health.Gate("revision", "the first attempt has not ended yet")),
	}
	if path, ok := cfg.local(); ok {
		s.source = source.Local{Path: path}
		return s, func() {}, nil
	}
	store, err := source.OpenStore(filepath.Join(cfg.Root, ".store"), cfg.Repository, int64(cfg.MaxFetch))
	if err != nil {
		return nil, nil, fmt.Errorf("open store below GITSYNC_ROOT: %w", err)
	}
	client, err := newClient(cfg, p)
	if err != nil {
		return nil, nil, err
	}
	s.source = &source.Remote{URL: cfg.Repository, Username: cfg.Username, PasswordFile: cfg.PasswordFile, Depth: cfg.Depth, Client: client, Store: store}
	s.forget = store.Forget
	return s, client.CloseIdleConnections, nil
}

// newClient makes the client of the git server: one attempt each, for the loop
// repeats, and redirects are answers, not followed with credentials.
func newClient(cfg Config, p *process.Process) (*http.Client, error) {
	roots, err := certs.OpenRoots(cfg.CAFile)
	if err != nil {
		return nil, fmt.Errorf("GITSYNC_CA_FILE: %w", err)
	}
	if !cfg.Once {
		p.Go("trusted roots", func(ctx context.Context) error { roots.Watch(ctx, p.Log); return nil })
	}
	settings := retry.DefaultSettings()
	settings.RetryAttempts = 1
	return httpclient.New(httpclient.Options{
		Name: "git", Timeout: cfg.Timeout, HeaderTimeout: cfg.Timeout, MaxBody: int64(cfg.MaxFetch), MaxConns: 2,
		TLS: roots.Client(""), Retry: settings, Metrics: p.Metrics,
	})
}

// untilThere makes attempts until one succeeds. What only a person can mend is not
// tried again.
func untilThere(ctx context.Context, s *syncer) error {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.OnceTimeout)
	defer cancel()
	var last *failure
	return retry.Do(ctx, retry.Policy{Backoff: retry.Backoff{Base: firstRetry, Max: s.cfg.RetryMax}}, func(ctx context.Context) error {
		_, failed := s.once(ctx)
		if failed != nil && last != nil && errors.Is(opened(failed.err), context.DeadlineExceeded) {
			failed = last // the time was over in the middle: what was wrong before counts
		}
		last = failed
		switch {
		case failed == nil:
			return nil
		case failed.kind == refused:
			return retry.Stop(failed)
		}
		return failed
	})
}

// serve runs the loop beside the API.
func serve(ctx context.Context, cfg Config, p *process.Process, s *syncer) error {
	changed, err := notice(cfg, p, s.status)
	if err != nil {
		p.Close()
		return err
	}
	l := newLoop(s, changed)
	w, err := newWebhook(cfg, l.ask, func(result string) { s.status.metrics.webhooks.WithLabelValues(result).Inc() })
	if err != nil {
		p.Close()
		return err
	}
	p.Go("loop", l.run)
	e := api.New(p)
	routes(e, s.status, w)
	p.Serve(api.Server(e))
	return p.Run(ctx)
}

// notice starts what tells the application of a new revision.
func notice(cfg Config, p *process.Process, b *board) (changed func(revision string), err error) {
	count := func(result string) { b.metrics.notices.WithLabelValues(result).Inc() }
	switch {
	case cfg.HookURL != "":
		h, err := newHook(cfg.HookURL, p.Log, count)
		if err != nil {
			return nil, err
		}
		b.notice = h.read
		p.Go("hook", h.run)
		return h.changed, nil
	case cfg.Signal != "none":
		n := notify.New(notify.Options{Signal: cfg.Signal, PIDFile: cfg.PIDFile, Process: cfg.Process, Log: p.Log, Count: count})
		b.notice = func() any { return n.Status() }
		p.Go("signal", func(ctx context.Context) error { n.Run(ctx); return nil })
		return func(string) { n.Changed() }, nil
	}
	return func(string) {}, nil
}

// routes are held together with openapi.yaml by a test.
func routes(e *echo.Echo, b *board, w *webhook) {
	e.GET("/v1/status", func(c echo.Context) error {
		c.Response().Header().Set("Cache-Control", "no-store")
		return c.JSON(http.StatusOK, b.read())
	})
	e.POST("/v1/sync", w.serve)
}

package hotshards

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/flotilla-dev/flotilla/internal/api"
	"github.com/flotilla-dev/flotilla/internal/httpclient"
	"github.com/flotilla-dev/flotilla/internal/kube"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/internal/upstream"
	"github.com/flotilla-dev/flotilla/internal/watch"
	"github.com/flotilla-dev/flotilla/services/hotshards/decide"
	"github.com/flotilla-dev/flotilla/services/hotshards/loads"
	"github.com/flotilla-dev/flotilla/services/hotshards/replicas"
)

// Run controls until ctx ends.
func Run(ctx context.Context, cfg Config) error {
	if err := cfg.validate(); err != nil {
		return err
	}
	text, err := watch.Read(cfg.ConfigFile)
	if err != nil {
		return fmt.Errorf("HOTSHARDS_CONFIG_FILE: %w", err)
	}
	shards, err := parseFile(text, &cfg)
	if err == nil {
		err = checkBudget(shards, cfg.Budget)
	}
	if err != nil {
		return err
	}
	p, err := process.Open(ctx, Program, cfg.Contract, cfg)
	if err != nil {
		return err
	}
	c := &controller{
		cfg: &cfg, shards: shards, history: &history{most: cfg.History}, metrics: newMetrics(p.Metrics, cfg.Budget), log: p.Log,
		now: time.Now, judge: decide.New(cfg.policy(), time.Now()),
	}
	closeProxies, err := c.openProxies(p)
	if err == nil {
		defer closeProxies()
		err = c.openOrchestrator(p)
	}
	if err != nil {
		p.Close()
		return err
	}
	p.Health.Ready("look", c.ready)
	p.Go("looks", func(background context.Context) error {
		// It decides nothing more once it is told to end: another one may have started.
		deciding, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(background, cancel)()
		c.run(deciding)
		return nil
	})
	e := api.New(p)
	c.routes(e)
	p.Serve(api.Server(e))
	p.Log.Info("hotshards starts", "file", cfg.ConfigFile, "shards", len(shards), "orchestrator", cfg.Orchestrator, "dry_run", bool(cfg.DryRun))
	return p.Run(ctx)
}

// once is a client that does not try again: the next look is the next try.
func once(o httpclient.Options) (*http.Client, error) {
	o.Retry = retry.Settings{Limits: retry.Limits{RetryAttempts: 1}}
	return httpclient.New(o)
}

// openProxies follows the addresses of the proxies. Those that are not ready count: one that waits for the
// replicas of a shard has to be told where they are.
func (c *controller) openProxies(p *process.Process) (done func(), err error) {
	intervals, health := upstream.Default()
	intervals.CheckInterval = 0
	pool, err := upstream.New(upstream.Options{Name: "proxies", Address: c.cfg.Proxies, Intervals: intervals, Health: health, Log: p.Log})
	if err != nil {
		return nil, err
	}
	p.Go("proxies", pool.Run)
	client, err := once(httpclient.Options{Name: "shardproxy", Timeout: c.cfg.ScaleTimeout, HeaderTimeout: c.cfg.ScaleTimeout, Metrics: p.Metrics})
	if err != nil {
		return nil, err
	}
	c.proxies = &loads.Proxies{Client: client, Members: func() ([]string, error) { return administration(pool.Snapshot()) }, TokenFile: c.cfg.TokenFile,
		Timeout: c.cfg.Timeout, ChangeTimeout: c.cfg.ScaleTimeout}
	return client.CloseIdleConnections, nil
}

// administration lists the administration addresses of the proxies.
func administration(s upstream.Snapshot) ([]string, error) {
	var addrs []string
	for _, e := range s.Endpoints {
		if e.AdminAddr == "" {
			return nil, fmt.Errorf("proxy %s has no administration port: write it behind a slash", e.Name)
		}
		addrs = append(addrs, e.AdminAddr)
	}
	return addrs, nil
}

func (c *controller) openOrchestrator(p *process.Process) error {
	switch c.cfg.Orchestrator {
	case None:
		return nil
	case Local:
		c.orchestrator = replicas.NewRunner(c.cfg.Socket, c.cfg.Timeout, c.cfg.ScaleTimeout)
		return nil
	}
	api, err := kube.Open(kube.Account{URL: c.cfg.KubeURL, Dir: c.cfg.Account, Namespace: c.cfg.Namespace, Timeout: c.cfg.Timeout, Metrics: p.Metrics})
	if err != nil {
		return err
	}
	p.Go("roots", func(ctx context.Context) error {
		api.Follow(ctx, p.Log)
		api.Close()
		return nil
	})
	c.orchestrator = &replicas.Kubernetes{API: api}
	return nil
}

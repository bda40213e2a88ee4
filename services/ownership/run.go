package ownership

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/flotilla-dev/flotilla/internal/api"
	"github.com/flotilla-dev/flotilla/internal/httpclient"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/services/ownership/lease"
	"github.com/flotilla-dev/flotilla/services/ownership/lesson"
	"github.com/flotilla-dev/flotilla/services/ownership/stores"
)

// Run is a replica until ctx ends. It gives its shards back as soon as it does: what
// still arrives while it drains is forwarded to their next owners.
func Run(ctx context.Context, cfg Config) error {
	if err := cfg.validate(); err != nil {
		return err
	}
	var addr net.Addr
	told := cfg.OnListen
	cfg.OnListen = func(data, admin net.Addr) {
		addr = data
		if told != nil {
			told(data, admin)
		}
	}
	p, err := process.Open(ctx, Program, cfg.Contract, cfg)
	if err != nil {
		return err
	}
	store, err := cfg.Store.Open(ctx, p.Log)
	if err != nil {
		p.Close()
		return err
	}
	defer store.Close()
	s, err := newService(p, cfg, addr, store)
	if err != nil {
		p.Close()
		return err
	}
	defer s.client.CloseIdleConnections()
	s.start(ctx, p)
	e := api.New(p)
	s.routes(e)
	p.Serve(api.Server(e))
	return p.Run(ctx)
}

func newService(p *process.Process, cfg Config, addr net.Addr, store stores.Store) (*service, error) {
	advertised, err := advertise(cfg, addr)
	if err != nil {
		return nil, err
	}
	s := &service{
		cfg: cfg, me: lease.Identity{Name: p.Instance, Addr: advertised, Run: strings.ToLower(rand.Text()[:8])},
		view: newView(cfg.Shards), history: &history{most: cfg.History, now: time.Now}, metrics: newMetrics(p.Metrics), log: p.Log, store: store,
	}
	var stall func(context.Context) bool
	if len(cfg.Lesson) > 0 {
		p.Log.Warn("LESSON: this replica makes mistakes with locks on purpose: do not use it for anything else", "lesson", cfg.Lesson)
		s.wrong = &lesson.Store{Store: store, AnyVersion: cfg.Lesson.has(UnlockWithoutVersion)}
		s.store, stall = s.wrong, staller(s.wrong)
	}
	client := func(name string) (*http.Client, error) {
		return httpclient.New(httpclient.Options{
			Name: name, Timeout: cfg.Timeout, HeaderTimeout: cfg.Timeout, MaxConns: cfg.Queue + 1, Metrics: p.Metrics,
			Retry: retry.Settings{Limits: retry.Limits{RetryAttempts: 1}}, // see worker.ask
		})
	}
	ledgers, err := client("ledger")
	if err != nil {
		return nil, err
	}
	if s.client, err = client("ownership"); err != nil {
		return nil, err
	}
	for number := range cfg.Shards {
		ledger := cfg.Ledgers[number%len(cfg.Ledgers)]
		s.shards = append(s.shards, &shard{
			number: number, ledger: ledger, store: s.store, holder: s.me.String(), cfg: cfg, stall: stall, view: s.view, history: s.history, metrics: s.metrics, log: p.Log, delay: s.delay,
			worker: worker{client: ledgers, url: fmt.Sprintf("http://%s/v1/shards/%d", ledger, number)},
		})
	}
	return s, nil
}

// staller stands still as long as the request asks for.
func staller(store *lesson.Store) func(context.Context) bool {
	return func(ctx context.Context) bool {
		d, asked := ctx.Value(pauseKey{}).(time.Duration)
		if asked {
			_ = store.Stall(context.WithoutCancel(ctx), d) // nothing ends a pause early
		}
		return asked
	}
}

// advertise is where other replicas reach this one.
func advertise(cfg Config, addr net.Addr) (string, error) {
	if isAddress(cfg.Advertise) {
		return cfg.Advertise, nil
	}
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return "", errors.New("OWNERSHIP_ADVERTISE: is required, with a port, where LISTEN_ADDR has none")
	}
	if cfg.Advertise != "" {
		return net.JoinHostPort(cfg.Advertise, port), nil
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		if host, err = os.Hostname(); err != nil {
			return "", fmt.Errorf("OWNERSHIP_ADVERTISE: is required where the host has no name: %w", err)
		}
	}
	return net.JoinHostPort(host, port), nil
}

// start runs all shards. They campaign until ctx ends, before the process drains.
func (s *service) start(ctx context.Context, p *process.Process) {
	known := p.Health.Gate("owners", "the store of owners was not reached yet")
	p.Go("owners", func(ctx context.Context) error {
		for _, sh := range s.shards {
			if s.view.await(ctx, sh.number, func(r lease.Record) bool { return r.Version != "" }) != nil {
				return nil // the process has ended first
			}
		}
		// A store that goes away later makes no replica unready: all of them would be.
		known.Open()
		return nil
	})
	if s.cfg.Balance > 0 {
		p.Go("balance", func(background context.Context) error {
			either, cancel := until(ctx, background)
			defer cancel()
			s.balance(either)
			return nil
		})
	}
	for _, sh := range s.shards {
		p.Go("campaign", func(background context.Context) error {
			either, cancel := until(ctx, background)
			defer cancel()
			sh.run(either)
			return nil
		})
		p.Go("observe", func(ctx context.Context) error {
			sh.observe(ctx)
			return nil
		})
	}
}

// until returns a context that ends with the first of two: the process was told to
// end, or something has failed.
func until(told, failed context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(told)
	stop := context.AfterFunc(failed, cancel)
	return ctx, func() { stop(); cancel() }
}

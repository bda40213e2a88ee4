package shardproxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flotilla-dev/flotilla/internal/certs"
	"github.com/flotilla-dev/flotilla/internal/httpclient"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/internal/upstream"
	"github.com/flotilla-dev/flotilla/services/shardproxy/contexts"
	"github.com/flotilla-dev/flotilla/services/shardproxy/layout"
)

// A lookups is what is known of sessions, and the service that knows it.
type lookups struct {
	*contexts.Cache
	pool *upstream.Pool
}

// openLookups returns what looks contexts up as long as the process runs, or nil where no
// service is named for that.
func openLookups(p *process.Process, cfg *Config) (*lookups, error) {
	if !cfg.looksUp() {
		return nil, nil
	}
	roots, err := certs.OpenRoots(cfg.ContextCAFile)
	if err != nil {
		return nil, err
	}
	scheme, secure := "http", (*tls.Config)(nil)
	if cfg.ContextTLS {
		scheme, secure = "https", roots.Client(cfg.ContextName)
	}
	pool, err := upstream.New(upstream.Options{Name: "contexts", Address: cfg.ContextService, Intervals: cfg.Intervals, Health: cfg.Health, Log: p.Log,
		Metrics: prometheus.WrapRegistererWith(prometheus.Labels{"generation": "0"}, p.Metrics)}) // with the labels that those of shards have
	if err != nil {
		return nil, err
	}
	client, err := httpclient.New(httpclient.Options{Name: "contexts", Timeout: cfg.ContextTimeout, MaxBody: 4 << 10, TLS: secure, Pool: pool,
		Retry: retry.Settings{Limits: cfg.Limits, RetryBase: time.Millisecond, RetryMax: 10 * time.Millisecond}, Metrics: p.Metrics})
	if err != nil {
		return nil, err
	}
	p.Go("context roots", func(ctx context.Context) error { roots.Watch(ctx, p.Log); return nil })
	p.Go("contexts", func(ctx context.Context) error {
		defer client.CloseIdleConnections()
		return pool.Run(ctx)
	})
	service := &contexts.Service{Client: client, Base: scheme + "://" + cfg.ContextName + cfg.ContextPath}
	cache := contexts.New(contexts.Options{Ask: service.Ask, Timeout: cfg.ContextTimeout, Fresh: cfg.ContextTTL, Stale: cfg.ContextStale, Entries: cfg.ContextEntries})
	return &lookups{cache, pool}, nil
}

// parse reads a layout, and refuses one whose key nobody could make.
func (p *proxy) parse(text []byte) (*layout.Layout, error) {
	l, err := layout.Parse(text, p.cfg.lookup())
	if err == nil && l.Key.UsesContext() && p.contexts == nil {
		return nil, fmt.Errorf("layout: key %s: SHARDPROXY_CONTEXT_SERVICE does not say where contexts are looked up", l.Key)
	}
	return l, err
}

// The outcomes of requests that depend on a context.
var (
	errNoContext = errors.New("the context of the session cannot be looked up")
	errMoving    = errors.New("the shard that was asked does not hold the session")
)

// place makes the key of the request and hashes it, by a context that is no older than what
// a shard has refused.
func (c *conn) place(t *table) (layout.Hash, error) {
	c.session = c.session[:0]
	if t.key.UsesContext() {
		c.session = t.key.AppendSession(c.session, c)
	}
	if len(c.session) == 0 || len(c.session) > contexts.MaxSession {
		c.session = c.session[:0] // such a session has no context, and nobody is to be asked
		c.key = t.key.Append(c.key[:0], c)
		return layout.Of(c.key), nil
	}
	known, err := c.contexts.Get(c.session, c.refusedAt)
	if err != nil {
		c.log.Debug("context not found", "error", err)
		return layout.Hash{}, errNoContext
	}
	if c.key = c.key[:0]; known.Value == "" {
		c.key = t.key.Append(c.key, c)
	} else {
		c.key = t.key.AppendIn(c.key, c, []byte(known.Value))
	}
	return layout.Of(c.key), nil
}

// misdirected tells that the shard does not hold the session, and so has done nothing
// (RFC 9110, 15.5.20). Shards of keys without a context say so to the client.
func (c *conn) misdirected() bool {
	return c.Exchange.Response.Status == http.StatusMisdirectedRequest && len(c.session) > 0
}

// The pauses between questions where a session is that no shard holds at the moment.
const (
	firstPause = 5 * time.Millisecond
	lastPause  = 100 * time.Millisecond
)

// follow ends an exchange that was misdirected, and prepares the next one. The first time
// that is at once. A session on its way may be nowhere for a moment; then there are more of them,
// with pauses, within the time and the budget for that. errMoving says that there is none.
func (c *conn) follow() error {
	for c.Exchange.Ready() && !c.Exchange.Done() { // what is here already, so that the connection can be kept
		if _, err := c.Exchange.Read(c.scrap[:]); err != nil {
			break
		}
	}
	c.Exchange.Finish()
	c.shard.load.series.Record(c.Exchange.Waited, false)
	c.leave()
	c.shard = nil
	now := time.Now()
	first := c.refusedAt.IsZero()
	if first {
		c.firstRefused = now
	}
	c.refusedAt = now
	left := c.cfg.AnswerTimeout - now.Sub(c.at)
	switch {
	case c.Exchange.Body != nil: // it went as it came, and is not here any more
		_, _ = c.contexts.Get(c.session, now) // so that the client's next request goes right
		c.metrics.misdirected.WithLabelValues("refused").Inc()
		return errMoving
	case left <= 0, !first && (now.Sub(c.firstRefused) > c.cfg.ContextMove || !c.standIn.Retry() || !c.rest()):
		c.metrics.misdirected.WithLabelValues("refused").Inc()
		return errMoving
	}
	c.metrics.misdirected.WithLabelValues("sent_again").Inc()
	c.Exchange.Timeout = left
	return nil
}

// rest waits a moment, longer each time, and tells whether the process goes on.
func (c *conn) rest() bool {
	c.pause = min(max(2*c.pause, firstPause), lastPause)
	timer := time.NewTimer(c.pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		c.refusedAt = time.Now() // what is said until now may be as old as the refusal
		return true
	case <-c.run.Done():
		return false
	}
}

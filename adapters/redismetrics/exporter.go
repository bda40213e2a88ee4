package redismetrics

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/flotilla-dev/flotilla/internal/certs"
	"github.com/flotilla-dev/flotilla/internal/watch"
)

// exporter is what all scrapes share.
type exporter struct {
	config    *Config
	catalogue *catalogue
	target    target // the configured one
	roots     *certs.Roots
	shown     *tls.Certificate // to servers that want one
	log       *slog.Logger

	refused atomic.Uint64 // requests for targets

	mu    sync.Mutex // guards all below
	count uint64     // scrapes
	spent time.Duration
}

func newExporter(cfg *Config, log *slog.Logger) (*exporter, error) {
	redis.SetLogger(clientLog{log}) // a global of the client's package: this belongs to the start of a program
	t, err := parseTarget(cfg.Addr)
	if err != nil {
		return nil, fmt.Errorf("REDISMETRICS_ADDR: %w", err)
	}
	x := &exporter{config: cfg, catalogue: newCatalogue(), target: t, log: log}
	if x.roots, err = certs.OpenRoots(cfg.CAFile); err != nil {
		return nil, fmt.Errorf("REDISMETRICS_CA_FILE: %w", err)
	}
	if cfg.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(cfg.CertFile, cfg.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("REDISMETRICS_CERT_FILE: %w", err)
		}
		x.shown = &pair
	}
	return x, nil
}

// clientLog keeps what the client of Redis says of its connections for those who
// want details: its errors are returned too.
type clientLog struct{ log *slog.Logger }

// Printf is what the client calls.
func (c clientLog) Printf(ctx context.Context, format string, args ...any) {
	if c.log.Enabled(ctx, slog.LevelDebug) {
		c.log.DebugContext(ctx, "redis client", "text", fmt.Sprintf(format, args...))
	}
}

func (x *exporter) observe(took time.Duration) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.count++
	x.spent += took
}

func (x *exporter) observed() (count uint64, seconds float64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.count, x.spent.Seconds()
}

var errCredentials = errors.New("the password cannot be read")

// options are those of a client for one scrape: one connection, nothing tried
// again, and no time-outs but that of the scrape.
func (x *exporter) options(t target) (*redis.Options, error) {
	o := &redis.Options{
		Addr: t.addr, Username: x.config.User, Protocol: 2, PoolSize: 8, MaxRetries: -1, DialerRetries: 1, DisableIdentity: true,
		DialTimeout: x.config.Timeout, ReadTimeout: x.config.Timeout, WriteTimeout: x.config.Timeout, PoolTimeout: x.config.Timeout, ContextTimeoutEnabled: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	if x.config.PasswordFile != "" {
		password, err := watch.Read(x.config.PasswordFile)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errCredentials, err)
		}
		o.Password = strings.TrimRight(string(password), "\r\n")
	}
	if t.tls {
		name := x.config.ServerName
		if name == "" {
			name, _, _ = net.SplitHostPort(t.addr)
		}
		o.TLSConfig = x.roots.Client(name)
		if x.shown != nil {
			o.TLSConfig.Certificates = []tls.Certificate{*x.shown}
		}
	}
	return o, nil
}

// dial connects, with TLS where it is wanted.
func (x *exporter) dial(ctx context.Context, secure *tls.Config, network, addr string) (net.Conn, error) {
	var plain net.Dialer
	dial := plain.DialContext
	if secure != nil {
		dial = (&tls.Dialer{Config: secure}).DialContext
	}
	conn, err := dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &guard{Conn: conn}, nil
}

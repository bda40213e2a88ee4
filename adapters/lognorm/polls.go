package lognorm

import (
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/flotilla-dev/flotilla/adapters/lognorm/format"
	"github.com/flotilla-dev/flotilla/adapters/lognorm/poll"
	"github.com/flotilla-dev/flotilla/adapters/lognorm/sources"
	"github.com/flotilla-dev/flotilla/internal/httpclient"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/internal/watch"
)

// polled makes a source that is asked.
func (n *normaliser) polled(s sources.Source, st *stats, out *sink) (*polled, error) {
	p := &polled{sink: out, stats: st, cursor: n.journal.Cursor(s.Name)}
	var err error
	switch {
	case s.Slowlog != nil:
		p.every = time.Duration(s.Slowlog.Every)
		out.origin([2]string{"server.address", s.Slowlog.Address})
		poll.ClientLog(n.process.Log)
		p.poller, err = slowlog(n.process, s.Slowlog)
	default:
		p.every = time.Duration(s.REST.Every)
		out.origin([2]string{"url.full", withoutQuery(s.REST.URL)})
		p.poller, err = n.rest(s)
	}
	return p, err
}

func slowlog(p *process.Process, s *sources.Slowlog) (poll.Poller, error) {
	o := &redis.Options{
		Addr: s.Address, Username: s.User, Protocol: 2, PoolSize: 4, MaxRetries: -1, DialerRetries: 1, DisableIdentity: true,
		DialTimeout: askLimit, ReadTimeout: askLimit, WriteTimeout: askLimit, PoolTimeout: askLimit, ContextTimeoutEnabled: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	var err error
	if o.Password, err = secret(s.PasswordFile); err != nil {
		return nil, fmt.Errorf("slowlog.password_file: %w", err)
	}
	if s.CAFile != "" {
		roots, err := trust(p, s.CAFile)
		if err != nil {
			return nil, fmt.Errorf("slowlog.ca_file: %w", err)
		}
		host, _, _ := net.SplitHostPort(s.Address) // was checked
		o.TLSConfig = roots.Client(host)
	}
	return poll.NewSlowlog(o), nil
}

func (n *normaliser) rest(s sources.Source) (poll.Poller, error) {
	u, err := url.Parse(s.REST.URL)
	if err != nil {
		return nil, fmt.Errorf("rest.url: %w", err)
	}
	token, err := secret(s.REST.Token)
	if err != nil {
		return nil, fmt.Errorf("rest.token_file: %w", err)
	}
	roots, err := trust(n.process, s.REST.CAFile)
	if err != nil {
		return nil, fmt.Errorf("rest.ca_file: %w", err)
	}
	client, err := httpclient.New(httpclient.Options{
		Name: s.Name, Timeout: askLimit, MaxBody: 8 << 20, MaxConns: 1, TLS: roots.Client(u.Hostname()), Retry: retry.Settings{Limits: retry.Limits{RetryAttempts: 1}}, Metrics: n.process.Metrics,
	})
	if err != nil {
		return nil, err
	}
	env := format.NewEnv(s.Location)
	env.Alias = map[string]string{}
	for field, meaning := range map[string]string{s.REST.Time: "time", s.REST.Body: "message"} {
		if field != "" {
			env.Alias[field] = meaning
		}
	}
	return &poll.REST{Client: client, URL: s.REST.URL, Token: token, Items: poll.Way(s.REST.Items), ID: s.REST.ID, Severity: s.REST.Severity, Env: env}, nil
}

// secret is the content of a file, or nothing.
func secret(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	b, err := watch.Read(file)
	return strings.TrimRight(string(b), "\r\n"), err
}

// withoutQuery leaves out what may be a key.
func withoutQuery(address string) string {
	address, _, _ = strings.Cut(address, "?")
	return address
}

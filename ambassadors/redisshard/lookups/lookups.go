// Package lookups is the application that the Redis ambassador is shown with: it
// looks words up in the dictionary and keeps the answers in Redis.
//
// It knows one Redis, on localhost, and an unmodified client. Whether that is a
// server, or an ambassador in front of one shard or of three, is no matter of
// the program. Redis is a cache: without it every answer is the same, and slower.
package lookups

import (
	"context"
	"crypto/tls"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/flotilla-dev/flotilla/internal/api"
	"github.com/flotilla-dev/flotilla/internal/certs"
	"github.com/flotilla-dev/flotilla/internal/config"
	"github.com/flotilla-dev/flotilla/internal/httpclient"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/upstream"
	"github.com/flotilla-dev/flotilla/internal/watch"
)

// Program is the application as a process of the fleet.
var Program = process.Program{
	Name:  "lookups",
	About: "looks words up in the dictionary, and keeps the answers in Redis",
	Calls: []string{"redisshard, or any Redis: RESP", "dictionary: HTTP"},
}

// Config is the configuration of the application.
type Config struct {
	process.Contract
	upstream.Intervals

	RedisAddr         string        `env:"LOOKUPS_REDIS_ADDR" envDefault:"localhost:6380" doc:"Redis, or what looks like one: host:port"`
	RedisPasswordFile string        `env:"LOOKUPS_REDIS_PASSWORD_FILE" doc:"file with its password"`
	RedisTimeout      time.Duration `env:"LOOKUPS_REDIS_TIMEOUT" envDefault:"500ms" doc:"for an answer of Redis; then the dictionary is asked"`
	TTL               time.Duration `env:"LOOKUPS_TTL" envDefault:"10m" doc:"how long an answer is kept in Redis"`

	Dictionary           upstream.Address `env:"LOOKUPS_DICTIONARY,required" doc:"the dictionary: host:port[/adminport],…, dns:name:port[/adminport] or file:path"`
	DictionaryTLS        process.Switch   `env:"LOOKUPS_DICTIONARY_TLS" envDefault:"off" doc:"on: the dictionary speaks TLS"`
	DictionaryCAFile     string           `env:"LOOKUPS_DICTIONARY_CA_FILE" doc:"PEM file, watched, of the authorities that certify it; the system's when empty"`
	DictionaryServerName string           `env:"LOOKUPS_DICTIONARY_SERVER_NAME" envDefault:"dictionary" doc:"name in its certificate"`
}

func (c Config) validate() error {
	var wrong config.Error
	if c.RedisTimeout < time.Millisecond {
		wrong = append(wrong, config.Problem{Variable: "LOOKUPS_REDIS_TIMEOUT", Message: "want at least 1ms"})
	}
	if c.TTL < time.Second {
		wrong = append(wrong, config.Problem{Variable: "LOOKUPS_TTL", Message: "want at least 1s"})
	}
	if len(wrong) > 0 {
		return wrong
	}
	return nil
}

// redisOptions are those that a cache needs: bounded waits, and no attempt after
// the first, because there is another way to the answer.
func (c Config) redisOptions() (*redis.Options, error) {
	o := &redis.Options{
		Addr: c.RedisAddr, DialTimeout: c.RedisTimeout, ReadTimeout: c.RedisTimeout, WriteTimeout: c.RedisTimeout, PoolTimeout: c.RedisTimeout,
		MaxRetries: -1, PoolSize: 32, ClientName: "lookups",
	}
	if c.RedisPasswordFile == "" {
		return o, nil
	}
	password, err := watch.Read(c.RedisPasswordFile)
	if err != nil {
		return nil, fmt.Errorf("LOOKUPS_REDIS_PASSWORD_FILE: %w", err)
	}
	o.Password = strings.TrimSpace(string(password))
	return o, nil
}

// Run serves until ctx ends.
func Run(ctx context.Context, cfg Config) error {
	if err := cfg.validate(); err != nil {
		return err
	}
	options, err := cfg.redisOptions()
	if err != nil {
		return err
	}
	roots, err := certs.OpenRoots(cfg.DictionaryCAFile)
	if err != nil {
		return err
	}
	p, err := process.Open(ctx, Program, cfg.Contract, cfg)
	if err != nil {
		return err
	}
	if err := serve(p, cfg, options, roots); err != nil {
		p.Close()
		return err
	}
	return p.Run(ctx)
}

func serve(p *process.Process, cfg Config, options *redis.Options, roots *certs.Roots) error {
	intervals, health := upstream.Default()
	intervals.CheckInterval, intervals.ResolveInterval = cfg.CheckInterval, cfg.ResolveInterval
	pool, err := upstream.New(upstream.Options{Name: "dictionary", Address: cfg.Dictionary, Intervals: intervals, Health: health, Log: p.Log, Metrics: p.Metrics})
	if err != nil {
		return err
	}
	scheme, secure := "http", (*tls.Config)(nil)
	if cfg.DictionaryTLS {
		scheme, secure = "https", roots.Client(cfg.DictionaryServerName)
		p.Go("roots", func(ctx context.Context) error { roots.Watch(ctx, p.Log); return nil })
	}
	client, err := httpclient.New(httpclient.Options{Name: "dictionary", Pool: pool, TLS: secure, Metrics: p.Metrics})
	if err != nil {
		return err
	}
	p.Go("dictionary", func(ctx context.Context) error {
		defer client.CloseIdleConnections()
		return pool.Run(ctx)
	})
	store := redis.NewClient(options)
	p.Go("redis", func(ctx context.Context) error {
		<-ctx.Done()
		return store.Close()
	})
	e := api.New(p)
	routes(e, &lookups{
		redis: store, ttl: cfg.TTL, log: p.Log, counts: newCounts(p.Metrics),
		dictionary: &dictionary{client: client, base: scheme + "://" + cfg.DictionaryServerName + "/v1/words/"},
	})
	p.Serve(api.Server(e))
	return nil
}

// Package lookups is the application that the Redis ambassador is shown with: it
// looks words up in the dictionary and keeps the answers in Redis.
//
// It knows one Redis, on localhost, and an unmodified client. Whether that is a
// server, or an ambassador in front of one shard or of three, is no matter of
// the program. Redis is a cache: without it every answer is the same, and slower.
package lookups

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/flotilla-dev/flotilla/internal/api"
	"github.com/flotilla-dev/flotilla/internal/config"
	"github.com/flotilla-dev/flotilla/internal/dictionary"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/retry"
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
	upstream.Health
	retry.Settings

	RedisAddr         string        `env:"LOOKUPS_REDIS_ADDR" envDefault:"localhost:6380" doc:"Redis, or what looks like one: host:port"`
	RedisPasswordFile string        `env:"LOOKUPS_REDIS_PASSWORD_FILE" doc:"file with its password"`
	RedisTimeout      time.Duration `env:"LOOKUPS_REDIS_TIMEOUT" envDefault:"500ms" doc:"for an answer of Redis; then the dictionary is asked"`
	TTL               time.Duration `env:"LOOKUPS_TTL" envDefault:"10m" doc:"how long an answer is kept in Redis"`

	Dictionary dictionary.Config `envPrefix:"LOOKUPS_"`
}

func (c Config) validate() error {
	var wrong config.Error
	if c.RedisTimeout < time.Millisecond {
		wrong.Add("LOOKUPS_REDIS_TIMEOUT", "want at least 1ms")
	}
	if c.TTL < time.Second {
		wrong.Add("LOOKUPS_TTL", "want at least 1s")
	}
	return slices.Concat(wrong, c.Health.Problems(), c.Settings.Problems()).Err()
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
	p, err := process.Open(ctx, Program, cfg.Contract, cfg)
	if err != nil {
		return err
	}
	if err := serve(p, cfg, options); err != nil {
		p.Close()
		return err
	}
	return p.Run(ctx)
}

func serve(p *process.Process, cfg Config, options *redis.Options) error {
	words, err := dictionary.Open(p, dictionary.Options{Config: cfg.Dictionary, Intervals: cfg.Intervals, Health: cfg.Health, Retry: cfg.Settings})
	if err != nil {
		return err
	}
	store := redis.NewClient(options)
	p.Go("redis", func(ctx context.Context) error {
		<-ctx.Done()
		return store.Close()
	})
	e := api.New(p)
	routes(e, &lookups{redis: store, ttl: cfg.TTL, dictionary: words, counts: newCounts(p.Metrics), log: p.Log})
	p.Serve(api.Server(e))
	return nil
}

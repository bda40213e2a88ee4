// Package thesaurus is the application that the memcached ambassador is shown
// with: it finds words that are related to a word over one hop or two, which costs
// a request to the dictionary for every word on the way, and keeps the answers in
// memcached.
//
// It knows one memcached, on localhost, and an unmodified client. Whether that is
// a server, or an ambassador in front of one shard or of three, is no matter of
// the program. memcached is a cache: without it every answer is the same, and
// slower.
package thesaurus

import (
	"context"
	"slices"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/flotilla-dev/flotilla/internal/api"
	"github.com/flotilla-dev/flotilla/internal/config"
	"github.com/flotilla-dev/flotilla/internal/dictionary"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/internal/upstream"
)

// Program is the application as a process of the fleet.
var Program = process.Program{
	Name:  "thesaurus",
	About: "finds words related to a word, and keeps them in memcached",
	Calls: []string{"memcacheshard, or any memcached: text protocol", "dictionary: HTTP"},
}

// Config is the configuration of the application.
type Config struct {
	process.Contract
	upstream.Intervals
	upstream.Health
	retry.Settings

	MemcachedAddr    string        `env:"THESAURUS_MEMCACHED_ADDR" envDefault:"localhost:11212" doc:"memcached, or what looks like one: host:port"`
	MemcachedTimeout time.Duration `env:"THESAURUS_MEMCACHED_TIMEOUT" envDefault:"500ms" doc:"for an answer of memcached; then the dictionary is asked"`
	TTL              time.Duration `env:"THESAURUS_TTL" envDefault:"10m" doc:"how long an answer is kept in memcached, in whole seconds"`
	Breadth          int           `env:"THESAURUS_BREADTH" envDefault:"24" doc:"related words of the first hop whose own relations are followed: each costs a request to the dictionary"`

	Dictionary dictionary.Config `envPrefix:"THESAURUS_"`
}

// maxTTL: memcached takes a longer time for a date.
const maxTTL = 30 * 24 * time.Hour

func (c Config) validate() error {
	var wrong config.Error
	if c.MemcachedTimeout < time.Millisecond {
		wrong.Add("THESAURUS_MEMCACHED_TIMEOUT", "want at least 1ms")
	}
	if c.TTL < time.Second || c.TTL > maxTTL {
		wrong.Add("THESAURUS_TTL", "want 1s to 720h")
	}
	if c.Breadth < 1 || c.Breadth > 100 {
		wrong.Add("THESAURUS_BREADTH", "want 1 to 100")
	}
	return slices.Concat(wrong, c.Health.Problems(), c.Settings.Problems()).Err()
}

// Run serves until ctx ends.
func Run(ctx context.Context, cfg Config) error {
	if err := cfg.validate(); err != nil {
		return err
	}
	p, err := process.Open(ctx, Program, cfg.Contract, cfg)
	if err != nil {
		return err
	}
	if err := serve(p, cfg); err != nil {
		p.Close()
		return err
	}
	return p.Run(ctx)
}

// idleConns is how many connections to memcached are kept: about as many as there
// are requests at a time.
const idleConns = 32

func serve(p *process.Process, cfg Config) error {
	words, err := dictionary.Open(p, dictionary.Options{Config: cfg.Dictionary, Intervals: cfg.Intervals, Health: cfg.Health, Retry: cfg.Settings})
	if err != nil {
		return err
	}
	// A selector of one server: which shard holds a key is the ambassador's matter.
	cache := memcache.New(cfg.MemcachedAddr)
	cache.Timeout, cache.MaxIdleConns = cfg.MemcachedTimeout, idleConns
	p.Go("memcached", func(ctx context.Context) error {
		<-ctx.Done()
		return cache.Close()
	})
	e := api.New(p)
	routes(e, &thesaurus{words: words, cache: cache, ttl: cfg.TTL, breadth: cfg.Breadth, log: p.Log, counts: newCounts(p.Metrics)})
	p.Serve(api.Server(e))
	return nil
}

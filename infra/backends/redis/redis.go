package redis

import (
	"context"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/flotilla-dev/flotilla/internal/config"
	"github.com/flotilla-dev/flotilla/internal/process"
)

// Program describes the process.
var Program = process.Program{
	Name:  "redis",
	About: "an embedded Redis for fleets on one machine: no persistence, a kill loses all data",
	// Nobody can move away from the only Redis: waiting would only delay the end.
	Defaults: map[string]string{"DRAIN_DELAY": "0s"},
}

// Config is the configuration of the process.
type Config struct {
	process.Contract
	Tick       time.Duration  `env:"REDIS_TICK" envDefault:"20ms" doc:"how often time passes: a key expires at most this much too early or too late"`
	MaxMemory  config.Size    `env:"REDIS_MAX_MEMORY" envDefault:"128MiB" doc:"live memory above which commands that add data are refused, as Redis does with maxmemory-policy noeviction"`
	MaxClients int            `env:"REDIS_MAX_CLIENTS" envDefault:"1024" doc:"connections; more are refused with an error"`
	MaxCommand config.Size    `env:"REDIS_MAX_COMMAND" envDefault:"16MiB" doc:"bytes of one command with its arguments"`
	Protected  process.Switch `env:"REDIS_PROTECTED" envDefault:"on" doc:"on: only loopback may connect, there being no password"`
}

// validate finds what a type cannot express.
func (c Config) validate() error {
	var wrong config.Error
	if c.Tick < time.Millisecond || c.Tick > time.Second {
		wrong.Add("REDIS_TICK", "want 1ms to 1s")
	}
	if c.MaxClients < 1 {
		wrong.Add("REDIS_MAX_CLIENTS", "want at least 1")
	}
	if c.MaxCommand < 1<<10 {
		wrong.Add("REDIS_MAX_COMMAND", "want at least 1KiB")
	}
	if c.MaxMemory < 1<<20 {
		wrong.Add("REDIS_MAX_MEMORY", "want at least 1MiB")
	}
	return wrong.Err()
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
	store := miniredis.NewMiniRedis()
	s, err := newServer(cfg, store, p.Metrics, p.Log)
	if err != nil {
		p.Close()
		return err
	}
	p.Go("clock", func(ctx context.Context) error { return passTime(ctx, cfg.Tick, store) })
	p.Go("memory", s.memory.watch)
	p.Serve(s)
	p.Log.Info("data is kept in memory only and lost when this process ends")
	return p.Run(ctx)
}

// passTime lets time pass for the keys that expire. The alternative of
// miniredis, which looks at all keys before every command, slows down to
// milliseconds a command with thousands of expiring keys.
func passTime(ctx context.Context, every time.Duration, store *miniredis.Miniredis) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			// By the clock and not by the period: a ticker drops ticks, and a
			// process that was paused has missed many.
			now := time.Now()
			store.FastForward(now.Sub(last))
			last = now
		}
	}
}

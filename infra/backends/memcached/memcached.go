package memcached

import (
	"context"
	"time"

	"github.com/flotilla-dev/flotilla/internal/config"
	"github.com/flotilla-dev/flotilla/internal/process"
)

// Program describes the process.
var Program = process.Program{
	Name:  "memcached",
	About: "an embedded memcached for fleets on one machine: text and meta protocol, LRU by bytes",
	// A cache has nobody to hand its items to: waiting would only delay the end.
	Defaults: map[string]string{"DRAIN_DELAY": "0s"},
}

// Config is the configuration of the process.
type Config struct {
	process.Contract
	Memory      config.Size    `env:"MEMCACHED_MEMORY" envDefault:"64MiB" doc:"bytes of all items with what they cost in memory; the least recently used ones make room"`
	MaxItem     config.Size    `env:"MEMCACHED_MAX_ITEM" envDefault:"1MiB" doc:"bytes of one item with its key and header; a larger one is refused"`
	MaxClients  int            `env:"MEMCACHED_MAX_CLIENTS" envDefault:"1024" doc:"connections; more are refused with an error"`
	IdleTimeout time.Duration  `env:"MEMCACHED_IDLE_TIMEOUT" envDefault:"0s" doc:"silence after which a connection is closed; 0s: never, as memcached does"`
	Protected   process.Switch `env:"MEMCACHED_PROTECTED" envDefault:"on" doc:"on: only loopback may connect, there being no password"`
}

// validate finds what a type cannot express.
func (c Config) validate() error {
	var wrong config.Error
	if c.Memory < 1<<20 {
		wrong.Add("MEMCACHED_MEMORY", "want at least 1MiB")
	}
	if c.MaxItem < 1<<10 || c.MaxItem > 1<<30 || c.MaxItem > c.Memory {
		wrong.Add("MEMCACHED_MAX_ITEM", "want 1KiB to 1GiB, and no more than MEMCACHED_MEMORY")
	}
	if c.MaxClients < 1 {
		wrong.Add("MEMCACHED_MAX_CLIENTS", "want at least 1")
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
	p.Serve(newServer(cfg, newStore(int64(cfg.Memory), int(cfg.MaxItem), time.Now), p.Metrics, p.Log))
	p.Log.Info("items are kept in memory only and lost when this process ends", "memory", cfg.Memory.String())
	return p.Run(ctx)
}

package memcacheshard

import (
	"fmt"
	"log/slog"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/flotilla-dev/flotilla/ambassadors/memcacheshard/pool"
	"github.com/flotilla-dev/flotilla/internal/config"
	"github.com/flotilla-dev/flotilla/internal/nutcracker"
	"github.com/flotilla-dev/flotilla/internal/ports"
	"github.com/flotilla-dev/flotilla/internal/watch"
)

// setup is what the configuration says of pools.
type setup struct {
	pools       []nutcracker.Pool
	replicas    map[string][]string
	text        []byte // of the configuration file
	replicaText []byte // of the file of replicas
}

// load reads the configuration.
func (c Config) load() (s setup, err error) {
	if s.pools, s.text, err = c.readPools(); err != nil {
		return s, err
	}
	s.replicas, s.replicaText, err = c.replicas(s.pools)
	return s, err
}

func (c Config) readPools() ([]nutcracker.Pool, []byte, error) {
	if c.ConfigFile == "" {
		p, err := c.pool()
		return []nutcracker.Pool{p}, nil, err
	}
	text, err := watch.Read(c.ConfigFile)
	if err != nil {
		return nil, nil, fmt.Errorf("MEMCACHESHARD_CONFIG_FILE: %w", err)
	}
	pools, err := parse(text)
	if err != nil {
		return nil, nil, config.Error{{Variable: "MEMCACHESHARD_CONFIG_FILE", Message: c.ConfigFile + ": " + err.Error()}}
	}
	return pools, text, nil
}

// parse returns the memcached pools of a file.
func parse(text []byte) ([]nutcracker.Pool, error) {
	all, err := nutcracker.Parse(text)
	if err != nil {
		return nil, err
	}
	return nutcracker.Of(all, false)
}

// listen is the address of the first pool: that of the file, unless another one
// than the default was asked for.
func (c Config) listen(first nutcracker.Pool) string {
	if c.ConfigFile == "" || c.ListenAddr != ports.Addr(ports.Of(Program.Name).Data) {
		return c.ListenAddr
	}
	return first.Listen
}

// fleet is all pools, kept equal to the files.
type fleet struct {
	pools   []*pool.Pool
	log     *slog.Logger
	reloads *prometheus.CounterVec

	mu    sync.Mutex // guards all below
	confs []nutcracker.Pool
	lines string // of replicas
}

func newFleet(s setup, o pool.Options, r prometheus.Registerer) (*fleet, error) {
	f := &fleet{confs: s.pools, lines: string(s.replicaText), log: o.Log, reloads: promauto.With(r).NewCounterVec(prometheus.CounterOpts{
		Name: "memcacheshard_reloads_total", Help: "Changed configuration files, by outcome: taken, refused.",
	}, []string{"outcome"})}
	f.reloads.WithLabelValues("taken")
	f.reloads.WithLabelValues("refused")
	o.Replicas = s.replicas
	for _, c := range s.pools {
		for _, key := range c.Ignored {
			o.Log.Info("setting has no effect here", "pool", c.Name, "setting", key)
		}
		p, err := pool.New(c, o)
		if err != nil {
			return nil, err
		}
		f.pools = append(f.pools, p)
	}
	return f, nil
}

// reloadPools takes a changed configuration file over, or leaves all as it is.
func (f *fleet) reloadPools(text []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	confs, err := parse(text)
	if err == nil {
		err = nutcracker.SameListeners(f.confs, confs)
	}
	f.take(confs, f.lines, err)
}

// reloadReplicas takes a changed file of replicas over, or leaves all as it is.
func (f *fleet) reloadReplicas(text []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.take(f.confs, string(text), nil)
}

// take is called with mu held.
func (f *fleet) take(confs []nutcracker.Pool, lines string, err error) {
	var replicas map[string][]string
	if err == nil {
		replicas, err = parseReplicas(lines, confs)
	}
	for i := 0; err == nil && i < len(confs); i++ {
		err = f.pools[i].Update(confs[i], replicas)
	}
	if err != nil {
		f.reloads.WithLabelValues("refused").Inc()
		f.log.Error("changed configuration refused, the old one stays", "error", err)
		return
	}
	f.confs, f.lines = confs, lines
	f.reloads.WithLabelValues("taken").Inc()
	f.log.Info("changed configuration taken over", "pools", len(confs), "replicated_shards", len(replicas))
}

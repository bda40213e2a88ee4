package redisshard

import (
	"fmt"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/flotilla-dev/flotilla/ambassadors/redisshard/pool"
	"github.com/flotilla-dev/flotilla/internal/config"
	"github.com/flotilla-dev/flotilla/internal/nutcracker"
	"github.com/flotilla-dev/flotilla/internal/ports"
	"github.com/flotilla-dev/flotilla/internal/watch"
)

// load returns the pools of the configuration, and the text of the file.
func (c Config) load() ([]nutcracker.Pool, []byte, error) {
	if c.ConfigFile == "" {
		p, err := c.pool()
		return []nutcracker.Pool{p}, nil, err
	}
	text, err := watch.Read(c.ConfigFile)
	if err != nil {
		return nil, nil, fmt.Errorf("REDISSHARD_CONFIG_FILE: %w", err)
	}
	pools, err := parse(text)
	if err != nil {
		return nil, nil, config.Error{{Variable: "REDISSHARD_CONFIG_FILE", Message: c.ConfigFile + ": " + err.Error()}}
	}
	return pools, text, nil
}

// parse returns the Redis pools of a file.
func parse(text []byte) ([]nutcracker.Pool, error) {
	all, err := nutcracker.Parse(text)
	if err != nil {
		return nil, err
	}
	return nutcracker.Of(all, true)
}

// listen is the address of the first pool: that of the file, unless another one
// than the default was asked for.
func (c Config) listen(first nutcracker.Pool) string {
	if c.ConfigFile == "" || c.ListenAddr != ports.Addr(ports.Of(Program.Name).Data) {
		return c.ListenAddr
	}
	return first.Listen
}

// fleet is all pools, kept equal to the file.
type fleet struct {
	pools    []*pool.Pool
	replicas map[string][]string // by the name of their shard
	log      *slog.Logger
	reloads  *prometheus.CounterVec
}

func newFleet(confs []nutcracker.Pool, o pool.Options, r prometheus.Registerer) (*fleet, error) {
	f := &fleet{replicas: o.Replicas, log: o.Log, reloads: promauto.With(r).NewCounterVec(prometheus.CounterOpts{
		Name: "redisshard_reloads_total", Help: "Changed configuration files, by outcome: taken, refused.",
	}, []string{"outcome"})}
	f.reloads.WithLabelValues("taken")
	f.reloads.WithLabelValues("refused")
	if err := checkReplicas(o.Replicas, confs); err != nil {
		return nil, err
	}
	for _, c := range confs {
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

// reload takes a changed file over, or leaves all as it is.
func (f *fleet) reload(text []byte) {
	confs, err := parse(text)
	if err == nil {
		err = f.fits(confs)
	}
	if err == nil {
		for i, c := range confs {
			if err = f.pools[i].Update(c); err != nil {
				break
			}
		}
	}
	if err != nil {
		f.reloads.WithLabelValues("refused").Inc()
		f.log.Error("changed configuration refused, the old one stays", "error", err)
		return
	}
	f.reloads.WithLabelValues("taken").Inc()
	f.log.Info("changed configuration taken over", "pools", len(confs))
}

// fits tells whether a changed file can be taken over without a restart.
func (f *fleet) fits(confs []nutcracker.Pool) error {
	var before []nutcracker.Pool
	for _, p := range f.pools {
		before = append(before, p.Config())
	}
	if err := nutcracker.SameListeners(before, confs); err != nil {
		return err
	}
	return checkReplicas(f.replicas, confs)
}

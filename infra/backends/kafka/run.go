package kafka

import (
	"context"
	"net"

	"github.com/flotilla-dev/flotilla/internal/process"
)

// Run serves until ctx ends.
func Run(ctx context.Context, cfg Config) error {
	if err := cfg.validate(); err != nil {
		return err
	}
	contract, advertised := cfg.Contract, ""
	contract.OnListen = func(data, admin net.Addr) {
		advertised = cfg.advertised(data)
		if cfg.OnListen != nil {
			cfg.OnListen(data, admin)
		}
	}
	p, err := process.Open(ctx, Program, contract, cfg)
	if err != nil {
		return err
	}
	b, err := openBroker(cfg, advertised, p.Log)
	if err != nil {
		p.Close()
		return err
	}
	p.Health.Ready("broker", b.answers)
	p.Go("size", b.measure)
	p.Serve(newServer(cfg, b, p.Metrics, p.Log))
	if cfg.DataDir == "" {
		p.Log.Info("data are kept for this process only and lost when it ends")
	}
	return p.Run(ctx)
}

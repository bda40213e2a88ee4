package process

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flotilla-dev/flotilla/internal/config"
	"github.com/flotilla-dev/flotilla/internal/faults"
	"github.com/flotilla-dev/flotilla/internal/health"
	"github.com/flotilla-dev/flotilla/internal/telemetry"
)

// A Server serves a listener until it is shut down. http.Server is one.
type Server interface {
	Serve(net.Listener) error
	// Shutdown stops accepting, waits for requests in flight until ctx ends, and
	// makes Serve return.
	Shutdown(ctx context.Context) error
}

// Process is a program that runs. See the package comment for its life.
type Process struct {
	Program  Program
	Instance string
	Log      *slog.Logger
	Metrics  prometheus.Registerer
	Health   *health.Checks
	Admin    *Admin
	Faults   *faults.Set // what to do wrong; nil unless FAULTS=on, and a nil set does nothing wrong
	Tracing  bool

	contract  Contract
	telemetry *telemetry.Telemetry
	data      net.Listener
	adminLn   net.Listener
	servers   []Server
	listeners []net.Listener

	background context.Context // of background work: outlives the drain
	cancel     context.CancelFunc
	work       sync.WaitGroup
	failed     chan error // the first failure, of capacity 1
}

// Open opens the listeners of the contract and starts telemetry. Nothing is
// served yet. The whole configuration is shown, secrets masked, on /configz.
// After an error nothing is left open.
func Open[C any](ctx context.Context, program Program, contract Contract, whole C) (*Process, error) {
	if err := contract.validate(); err != nil {
		return nil, err
	}
	values, err := config.Values(program.Spec(), whole)
	if err != nil {
		return nil, err
	}
	admin, err := newAdmin(contract.AdminTokenFile)
	if err != nil {
		return nil, err
	}
	p := &Process{Program: program, Instance: contract.instance(), Health: health.New(), Admin: admin, contract: contract, failed: make(chan error, 1)}
	p.telemetry, err = telemetry.Start(ctx, telemetry.Service{
		Name: program.Name, Instance: p.Instance, Version: Version(), Level: contract.LogLevel, Text: contract.LogFormat == "text",
	}, os.Stderr)
	if err != nil {
		return nil, err
	}
	p.Log, p.Metrics, p.Tracing = p.telemetry.Log, p.telemetry.Registry, p.telemetry.Tracing
	p.background, p.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if err := p.listen(ctx); err != nil {
		p.Close()
		return nil, err
	}
	if contract.Faults {
		if p.Faults, err = faults.New(p.Metrics); err != nil {
			p.Close()
			return nil, err
		}
		admin.Protect("/faults", p.Faults.Handler(p.Log))
	}
	admin.routes(p, func() any { return values })
	return p, nil
}

func (p *Process) listen(ctx context.Context) error {
	var err error
	if p.adminLn, err = Listen(ctx, p.contract.AdminAddr); err != nil {
		return fmt.Errorf("administration listener: %w", err)
	}
	raw, err := Listen(ctx, p.contract.ListenAddr)
	if err != nil {
		return fmt.Errorf("data listener: %w", err)
	}
	if p.data, err = p.secure(raw); err != nil {
		return errors.Join(fmt.Errorf("data listener: %w", err), raw.Close())
	}
	if p.contract.OnListen != nil {
		p.contract.OnListen(p.data.Addr(), p.adminLn.Addr())
	}
	return nil
}

// Close releases what Open took. It is for a Run that fails between Open and
// p.Run; p.Run itself closes everything.
func (p *Process) Close() {
	p.cancel()
	p.work.Wait()
	for _, ln := range append(p.listeners, p.data, p.adminLn) {
		if ln != nil {
			_ = ln.Close() // a listener that was served is closed already
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), telemetry.Flush)
	defer cancel()
	if err := p.telemetry.Shutdown(ctx); err != nil {
		p.Log.Warn("telemetry was not sent", "error", err)
	}
}

// Go runs background work until it returns or the process has drained, which
// cancels its context. An error ends the process.
func (p *Process) Go(name string, work func(context.Context) error) {
	p.work.Go(func() {
		if err := work(p.background); err != nil && p.background.Err() == nil {
			p.fail(fmt.Errorf("%s: %w", name, err))
		}
	})
}

// Serve serves the data listener, when Run is called.
func (p *Process) Serve(s Server) { p.ServeOn(p.data, s) }

// ServeOn serves one more listener, when Run is called; the process owns it.
func (p *Process) ServeOn(ln net.Listener, s Server) {
	p.listeners = append(p.listeners, ln)
	p.servers = append(p.servers, s)
}

// DrainTimeout is how long requests in flight may take once the process ends.
func (p *Process) DrainTimeout() time.Duration { return p.contract.DrainTimeout }

// Run serves until ctx, the one of Open, ends or something fails. Call it once.
func (p *Process) Run(ctx context.Context) error {
	defer p.Close()
	admin := p.Admin.server()
	var serving sync.WaitGroup
	p.serve(&serving, "administration", admin, p.adminLn)
	for i, s := range p.servers {
		p.serve(&serving, "data", s, p.listeners[i])
	}
	p.Log.Info("listening", "data", p.data.Addr().String(), "admin", p.adminLn.Addr().String(), "tls", p.contract.TLSCertFile != "", "version", Version())

	err := p.wait(ctx)
	p.shutdown(p.servers, p.contract.DrainTimeout)
	p.cancel()
	p.work.Wait()
	p.shutdown([]Server{admin}, time.Second)
	serving.Wait()
	p.Log.Info("stopped")
	return err
}

// wait returns when it is time to close the listeners: after a failure at once,
// after the end of ctx when the delay has passed.
func (p *Process) wait(ctx context.Context) error {
	select {
	case err := <-p.failed:
		p.Health.Drain()
		return err
	case <-ctx.Done():
	}
	p.Health.Drain()
	p.Log.Info("draining", "delay", p.contract.DrainDelay.String(), "timeout", p.contract.DrainTimeout.String())
	select {
	case err := <-p.failed:
		return err
	case <-time.After(p.contract.DrainDelay):
		return nil
	}
}

func (p *Process) serve(wg *sync.WaitGroup, name string, s Server, ln net.Listener) {
	wg.Go(func() {
		err := s.Serve(ln)
		if err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			p.fail(fmt.Errorf("serve %s: %w", name, err))
		}
	})
}

// shutdown stops servers side by side. A server that has a Close is closed the
// hard way when its time is over.
func (p *Process) shutdown(servers []Server, timeout time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	var wg sync.WaitGroup
	for _, s := range servers {
		wg.Go(func() {
			err := s.Shutdown(ctx)
			if err == nil {
				return
			}
			p.Log.Warn("requests were cut off", "error", err)
			if hard, ok := s.(interface{ Close() error }); ok {
				_ = hard.Close()
			}
		})
	}
	wg.Wait()
}

func (p *Process) fail(err error) {
	select {
	case p.failed <- err:
	default: // an earlier failure is already ending the process
	}
}

package source

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/flotilla-dev/flotilla/ambassadors/broker/binding"
	"github.com/flotilla-dev/flotilla/internal/retry"
)

// A Provisioner makes an instance of the service, or finds the one it has made.
type Provisioner interface {
	Provision(ctx context.Context) (binding.Entries, error)
}

// Provision is the last source: where no other one knows of a service, it has
// one made, and records the binding to use it from then on.
type Provision struct {
	Provisioner Provisioner
	Permanent   func(error) bool // whether asking again is of no use
	Dir         string           // of the recorded binding
	Port        string           // where the binding has none
	Needed      <-chan struct{}  // closed when no other source knows of a service
	Timeout     time.Duration    // of one try
	Log         *slog.Logger
}

// Name is "provision".
func (Provision) Name() string { return "provision" }

// Run reports what was recorded, or, once that is needed, has it made.
func (p Provision) Run(ctx context.Context, report func(Report)) {
	m := &memory{report: report}
	if p.recorded(m) {
		return
	}
	select {
	case <-p.Needed:
	case <-ctx.Done():
		return
	}
	m.tell(Report{State: Pending, Reason: "a service is being made"})
	backoff := retry.Backoff{Base: time.Second, Max: time.Minute}
	for n := 0; ; n++ {
		err := p.provision(ctx, m)
		if err == nil || ctx.Err() != nil {
			return
		}
		p.Log.Warn("no service was made", "error", err)
		m.failed(err.Error())
		wait := backoff.Delay(n)
		if p.Permanent(err) {
			wait = backoff.Max // an operator may mend it; that is not noticed here
		}
		if retry.Sleep(ctx, wait) != nil {
			return
		}
	}
}

// recorded reports the recorded binding, if there is one.
func (p Provision) recorded(m *memory) bool {
	entries, err := binding.Read(p.Dir)
	if errors.Is(err, binding.ErrNone) {
		m.gone("none was asked for yet")
		return false
	}
	if err != nil {
		m.failed(err.Error())
		return false
	}
	candidates, err := candidatesOf("provisioned", entries, p.Port)
	if err != nil {
		m.failed("the recorded binding: " + err.Error())
		return false
	}
	m.found(candidates)
	return true
}

func (p Provision) provision(ctx context.Context, m *memory) error {
	ctx, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	entries, err := p.Provisioner.Provision(ctx)
	if err != nil {
		return err
	}
	candidates, err := candidatesOf("provisioned", entries, p.Port)
	if err != nil {
		return err
	}
	if err := binding.Write(p.Dir, entries); err != nil {
		return fmt.Errorf("record the binding: %w", err)
	}
	p.Log.Info("a service was made", "address", candidates[0].Address)
	m.found(candidates)
	return nil
}

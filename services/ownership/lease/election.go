package lease

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
)

// An Election decides among processes who leads, under a name that all of them
// campaign for. At most one campaign of a holder may run at a time.
type Election struct {
	Lock
	// Delay, if not nil, is how long a candidate holds back when the name is free:
	// one that leads much already lets others go first. It should be small
	// beside the TTL.
	Delay func() time.Duration
	// OnLost is told why a lease that was won has ended; see Keep.
	OnLost func(error)
}

// Campaign waits until nobody leads and then leads. It never takes the name from
// who holds it: a former leader that comes back is a listener. The error is
// that of the store, or of ctx.
func (e Election) Campaign(ctx context.Context) (*Lease, error) {
	var seen Record
	for {
		now, err := e.await(ctx, seen, e.mayLead)
		if err != nil {
			return nil, err
		}
		if now.Holder == e.Holder {
			if err := e.forget(ctx, now); err != nil {
				return nil, err
			}
			seen = Record{}
			continue
		}
		if e.Delay != nil && retry.Sleep(ctx, e.Delay()) != nil {
			return nil, ctx.Err()
		}
		asked := time.Now()
		g, err := e.TryLock(ctx)
		if err == nil {
			return Keep(e.Store, g, asked, e.OnLost), nil
		}
		if !errors.Is(err, ErrHeld) {
			return nil, err
		}
		seen = now
	}
}

// mayLead also is true for a record that still names this very holder: what it held was
// lost by its own rules, such as that the store was away, before the store took it back.
func (e Election) mayLead(r Record) bool { return r.Holder == "" || r.Holder == e.Holder }

// forget gives back what this holder has from a former term, which it does not
// rely on any more, so that the next term begins with a new token.
func (e Election) forget(ctx context.Context, former Record) error {
	g := Grant{Name: e.Name, Holder: e.Holder, Token: former.Token, TTL: former.TTL, Version: former.Version}
	if err := e.Store.Release(ctx, g); err != nil && !errors.Is(err, ErrLost) {
		return fmt.Errorf("give back the former term: %w", err)
	}
	return nil
}

// Observe tells of who leads, now and each time that changes, until the store cannot
// be asked or ctx ends.
func (e Election) Observe(ctx context.Context, seen func(Record)) error {
	var last Record
	for {
		now, err := e.Store.Next(ctx, e.Name, last)
		if err != nil {
			return err
		}
		seen(now)
		last = now
	}
}

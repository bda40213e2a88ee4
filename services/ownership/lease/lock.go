package lease

import (
	"context"
	"errors"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
)

// A Lock is the simplest use of a Store: take a name, work for less than the TTL,
// give it back. Nothing renews it. For work that may take longer see Lease.
type Lock struct {
	Store  Store
	Name   string
	Holder string // unique to one run of one process
	TTL    time.Duration

	// Poll, if not 0, is how often Lock looks whether the name is free, where it
	// would watch otherwise. It is there to be compared: a waiter that polls waits
	// half of it too long on average, and asks the store all the time.
	Poll time.Duration
}

// TryLock takes the name or returns ErrHeld.
func (l Lock) TryLock(ctx context.Context) (Grant, error) {
	return l.Store.Acquire(ctx, l.Name, l.Holder, l.TTL)
}

// Lock takes the name as soon as it is free. The error is the store's or that of
// ctx.
func (l Lock) Lock(ctx context.Context) (Grant, error) {
	var seen Record
	for {
		g, err := l.TryLock(ctx)
		if !errors.Is(err, ErrHeld) {
			return g, err
		}
		if seen, err = l.await(ctx, seen, func(r Record) bool { return r.Holder == "" }); err != nil {
			return Grant{}, err
		}
	}
}

// await returns the next record that is as wanted. seen is one that was not, or one
// that was and led to nothing.
func (l Lock) await(ctx context.Context, seen Record, wanted func(Record) bool) (Record, error) {
	for {
		if l.Poll > 0 {
			seen = Record{} // the look answers at once
		}
		now, err := l.Store.Next(ctx, l.Name, seen)
		if err != nil || wanted(now) {
			return now, err
		}
		seen = now
		if l.Poll > 0 {
			if err := retry.Sleep(ctx, l.Poll); err != nil {
				return Record{}, err
			}
		}
	}
}

// Unlock gives the name back. It returns ErrLost, and changes nothing, when the
// grant has ended meanwhile: the name may be somebody else's.
func (l Lock) Unlock(ctx context.Context, g Grant) error { return l.Store.Release(ctx, g) }

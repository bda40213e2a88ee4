// Package lesson has mistakes that are made with locks, to be seen failing. Nothing
// outside of a lesson uses it.
package lesson

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/flotilla-dev/flotilla/services/ownership/lease"
)

// A Store makes mistakes that the one within it would not make.
type Store struct {
	lease.Store
	// AnyVersion makes Release give back whatever is held, by whomever. That is the book's
	// unlock: it deletes the key. A holder that was paused for longer than its TTL and
	// then tidies up takes the lock from its successor, and a third one gets it.
	AnyVersion bool

	mu     sync.Mutex    // guards moving
	moving chan struct{} // closed when it goes on; nil while it does
}

// Stall lets the holder stand still until Resume, but for d at most, as a process does that is
// paused: what was checked before is old when it goes on, and nothing was renewed meanwhile.
func (s *Store) Stall(ctx context.Context, d time.Duration) error {
	s.mu.Lock()
	if s.moving == nil {
		s.moving = make(chan struct{})
		time.AfterFunc(d, s.resumer(s.moving))
	}
	s.mu.Unlock()
	return s.stalled(ctx)
}

// Resume lets a holder that stands still go on.
func (s *Store) Resume() {
	s.mu.Lock()
	moving := s.moving
	s.mu.Unlock()
	if moving != nil {
		s.resumer(moving)()
	}
}

// resumer ends one pause, and no later one.
func (s *Store) resumer(pause chan struct{}) func() {
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.moving == pause {
			close(pause)
			s.moving = nil
		}
	}
}

func (s *Store) stalled(ctx context.Context) error {
	s.mu.Lock()
	moving := s.moving
	s.mu.Unlock()
	if moving == nil {
		return nil
	}
	select {
	case <-moving:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Renew renews, when nothing stands still.
func (s *Store) Renew(ctx context.Context, g lease.Grant) (lease.Grant, error) {
	if err := s.stalled(ctx); err != nil {
		return lease.Grant{}, err
	}
	return s.Store.Renew(ctx, g)
}

// Release gives back, with AnyVersion what is somebody else's too.
func (s *Store) Release(ctx context.Context, g lease.Grant) error {
	if err := s.stalled(ctx); err != nil {
		return err
	}
	err := s.Store.Release(ctx, g)
	if !s.AnyVersion || !errors.Is(err, lease.ErrLost) {
		return err
	}
	now, err := s.Next(ctx, g.Name, lease.Record{})
	if err != nil || now.Holder == "" {
		return err
	}
	return s.Store.Release(ctx, lease.Grant{Name: g.Name, Holder: now.Holder, Token: now.Token, TTL: now.TTL, Version: now.Version})
}

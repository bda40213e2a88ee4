package chaos

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Events are what has happened, by name.
type Events struct {
	log   func(format string, args ...any)
	begin time.Time

	mu    sync.Mutex // guards all below
	order []string
	named map[string]chan struct{} // closed when it has happened
}

// NewEvents begins without any. Each one is logged when it happens.
func NewEvents(log func(format string, args ...any)) *Events {
	return &Events{log: log, begin: time.Now(), named: map[string]chan struct{}{}}
}

// Happened announces an event; a second time changes nothing.
func (e *Events) Happened(name string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if slices.Contains(e.order, name) {
		return
	}
	e.order = append(e.order, name)
	close(e.event(name))
	e.log("%8s  %s", time.Since(e.begin).Round(time.Millisecond), name)
}

func (e *Events) event(name string) chan struct{} {
	if e.named[name] == nil {
		e.named[name] = make(chan struct{})
	}
	return e.named[name]
}

// Order is what has happened so far.
func (e *Events) Order() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.order)
}

// Wait waits for events.
func (e *Events) Wait(ctx context.Context, names ...string) error {
	for _, name := range names {
		e.mu.Lock()
		happened := e.event(name)
		e.mu.Unlock()
		select {
		case <-happened:
		case <-ctx.Done():
			return fmt.Errorf("waiting until %q: %w", name, context.Cause(ctx))
		}
	}
	return nil
}

// Step is a part of a script. Its name is an event, too: it happens when the step is done.
type Step struct {
	Name  string
	After []string // events that must have happened before
	Do    func(ctx context.Context) error
}

// ErrStuck is the cause when a script has not come to its end in time.
var ErrStuck = errors.New("the script did not end in time")

// Play plays a script: each step as soon as what it waits for has happened. It returns
// when all are done, one has failed, or the limit has passed.
func (e *Events) Play(ctx context.Context, limit time.Duration, steps ...Step) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, ErrStuck)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	for _, s := range steps {
		group.Go(func() error {
			if err := e.Wait(ctx, s.After...); err != nil {
				return fmt.Errorf("step %q: %w", s.Name, err)
			}
			if err := s.Do(ctx); err != nil {
				return fmt.Errorf("step %q: %w", s.Name, err)
			}
			e.Happened(s.Name)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("%w (so far: %s)", err, strings.Join(e.Order(), "; "))
	}
	return nil
}

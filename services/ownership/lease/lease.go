package lease

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
)

// Why a lease ended, beside ErrLost.
var (
	// ErrUnconfirmed is for a lease whose renewals were not confirmed in time: the
	// store could not be asked, or this process stood still. Whether somebody
	// else holds the name by now is not known.
	ErrUnconfirmed = errors.New("no renewal was confirmed in time")
	// ErrResigned is for a lease that its holder gave back.
	ErrResigned = errors.New("resigned")
)

// renewAfter is the part of the TTL after which a lease is renewed; heldFor is the
// part of it for which a confirmed renewal is relied upon.
const (
	renewAfter = 0.5
	heldFor    = 0.75
)

func part(of time.Duration, share float64) time.Duration {
	return time.Duration(float64(of) * share)
}

// A Lease is a grant that is renewed until it is lost or given back. It ends once:
// what comes later, such as the late answer to a renewal, does not bring it back.
// Who wants the name again campaigns for it.
//
// All methods may be called concurrently.
type Lease struct {
	store    Store
	onLost   func(error)
	ctx      context.Context // ends with the lease
	cancel   context.CancelCauseFunc
	watchdog *time.Timer
	stopped  chan struct{} // closed when nothing is renewed any more

	mu        sync.Mutex // guards all below
	grant     Grant
	confirmed time.Time // when the last renewal that was confirmed had been sent
	ended     error     // why; nil while it has not
}

// Keep renews a grant. asked is a moment before the grant was asked for: the TTL
// may have begun right then. onLost, if not nil, is told once when the lease ends
// otherwise than by Resign (handleLockLost, in the book); it must not block.
func Keep(store Store, g Grant, asked time.Time, onLost func(error)) *Lease {
	l := &Lease{store: store, onLost: onLost, stopped: make(chan struct{}), grant: g, confirmed: asked}
	l.ctx, l.cancel = context.WithCancelCause(context.Background())
	l.mu.Lock() // the watchdog may bark at once
	l.watchdog = time.AfterFunc(time.Until(l.deadline()), l.bark)
	l.mu.Unlock()
	go l.renew()
	return l
}

// Held tells whether the name surely was this lease's when it was asked. See the
// package comment for what may have changed when the answer is read.
func (l *Lease) Held() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ended == nil && time.Now().Before(l.deadline())
}

// Deadline is the moment up to which Held is true if no more renewals are confirmed.
func (l *Lease) Deadline() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.deadline()
}

// deadline is Deadline for those who hold the mutex.
func (l *Lease) deadline() time.Time { return l.confirmed.Add(part(l.grant.TTL, heldFor)) }

// Grant is the grant as it was renewed last. Its token never changes.
func (l *Lease) Grant() Grant {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.grant
}

// Token is the fencing token of the lease.
func (l *Lease) Token() Token { return l.Grant().Token }

// Context ends when the lease does, and its cause is why. What is done for the name
// is done under it.
func (l *Lease) Context() context.Context { return l.ctx }

// End ends the lease because of what became known: a worker saw a newer
// token. Nothing is released.
func (l *Lease) End(why error) {
	if l.end(why) && l.onLost != nil {
		l.onLost(why)
	}
}

// Resign ends the lease, if it has not ended yet, and gives the name back, if it
// still is this lease's: others need not wait for the end of the TTL. It
// returns ErrLost when there was nothing to give back.
func (l *Lease) Resign(ctx context.Context) error {
	l.end(ErrResigned)
	select {
	case <-l.stopped: // else a renewal would change the version that is compared
	case <-ctx.Done():
		return ctx.Err()
	}
	return l.store.Release(ctx, l.Grant())
}

// end ends the lease, and tells whether it was this call that did.
func (l *Lease) end(why error) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended != nil {
		return false
	}
	l.ended = why
	l.watchdog.Stop()
	l.cancel(why)
	return true
}

// bark is what the watchdog does when no renewal was confirmed for too long. It does
// not rely on a renewal to return.
func (l *Lease) bark() {
	if !l.Held() {
		l.End(ErrUnconfirmed)
	}
}

// renew renews half-way through the TTL, and more often after a failure.
func (l *Lease) renew() {
	defer close(l.stopped)
	g := l.Grant()
	pauses := retry.Backoff{Base: g.TTL / 64, Max: g.TTL / 16}
	failures := 0
	for {
		wait := pauses.Delay(failures)
		if failures == 0 {
			wait = time.Until(l.Deadline()) - part(g.TTL, heldFor-renewAfter)
		}
		if retry.Sleep(l.ctx, wait) != nil {
			return
		}
		switch err := l.renewOnce(); {
		case err == nil:
			failures = 0
		case errors.Is(err, ErrLost):
			l.End(ErrLost)
			return
		default:
			failures++
		}
	}
}

// renewOnce takes half of the time that is left at most. A store of several members may have
// one that hangs: the next try goes to another one, and must still come in time.
func (l *Lease) renewOnce() error {
	ctx, cancel := context.WithTimeout(l.ctx, time.Until(l.Deadline())/2)
	defer cancel()
	before := l.Grant()
	sent := time.Now()
	g, err := l.store.Renew(ctx, before)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.grant.Version = g.Version // also of a lease that has ended: it is what Resign gives back
	if l.ended == nil && time.Now().Before(l.deadline()) {
		l.confirmed = sent
		l.watchdog.Reset(time.Until(l.deadline()))
	}
	return nil
}

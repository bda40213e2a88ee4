package ownership

import (
	"context"
	"errors"
	"time"

	"github.com/flotilla-dev/flotilla/services/ownership/lease"
	"github.com/flotilla-dev/flotilla/services/ownership/wire"
)

// What a term refuses.
var (
	errNotOwner = errors.New("this replica does not own the shard")
	errBusy     = errors.New("too many requests of the shard wait")
	errFunds    = errors.New("the balance is not enough")
	errBound    = errors.New("the balance would be too large")
)

// errChanged is for a condition on an account's version that does not hold.
type errChanged struct{ version uint64 }

func (e *errChanged) Error() string { return "the account has another version" }

// maxCached bounds the accounts that an owner remembers.
const maxCached = 10_000

// A term is the time in which this replica owns a shard. Entries are dispatched one
// after the other, so that each is computed from the outcome of the one before.
type term struct {
	lease  *lease.Lease
	worker worker
	stall  func(context.Context) bool // the lesson; nil for none

	seats chan struct{} // bounds those who wait
	turn  chan struct{} // one at a time; who holds it may use all below
	over  chan struct{} // closed when no more turns are given

	opened   bool
	sequence uint64 // of the newest entry
	accounts map[string]wire.Account
}

func newTerm(l *lease.Lease, w worker, queue int) *term {
	return &term{lease: l, worker: w, seats: make(chan struct{}, queue), turn: make(chan struct{}, 1), over: make(chan struct{}), accounts: map[string]wire.Account{}}
}

// claim is in whose name the ledger is asked.
func (t *term) claim() wire.Claim {
	g := t.lease.Grant()
	return wire.Claim{Owner: g.Holder, Token: g.Token, Version: g.Version}
}

// An Intent is an entry that a client wants.
type Intent struct {
	ID      string  `json:"id"`
	Account string  `json:"account"`
	Amount  int64   `json:"amount"`
	Version *uint64 `json:"if_version"` // of the account, before; nil for any
}

// take waits for a turn. give must be called after it returned nil.
func (t *term) take(ctx context.Context) error {
	select {
	case t.seats <- struct{}{}:
	default:
		return errBusy
	}
	select {
	case t.turn <- struct{}{}:
		if t.lease.Held() && !t.ending() {
			return nil
		}
		<-t.turn
		<-t.seats
		return errNotOwner
	case <-t.over:
		<-t.seats
		return errNotOwner
	case <-ctx.Done():
		<-t.seats
		return ctx.Err()
	}
}

// ending tells whether no more turns are given. A turn may be free at the same moment.
func (t *term) ending() bool {
	select {
	case <-t.over:
		return true
	default:
		return false
	}
}

func (t *term) give() {
	<-t.turn
	<-t.seats
}

// finish gives no more turns, and waits a moment for the one that is on.
func (t *term) finish(ctx context.Context) {
	close(t.over)
	select {
	case t.turn <- struct{}{}: // kept for ever
	case <-ctx.Done():
	}
}

// during returns a context that also ends with the lease.
func (t *term) during(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(t.lease.Context(), func() { cancel(errNotOwner) })
	return ctx, func() { stop(); cancel(nil) }
}

// read returns an account.
func (t *term) read(ctx context.Context, name string) (wire.Account, error) {
	if !t.lease.Held() {
		return wire.Account{}, errNotOwner
	}
	ctx, cancel := t.during(ctx)
	defer cancel()
	a, err := t.worker.account(ctx, t.claim(), name)
	return a, t.judge(err)
}

// list returns the newest entries of an account.
func (t *term) list(ctx context.Context, account string, most int) ([]wire.Entry, error) {
	if !t.lease.Held() {
		return nil, errNotOwner
	}
	ctx, cancel := t.during(ctx)
	defer cancel()
	entries, err := t.worker.entries(ctx, t.claim(), account, most)
	return entries, t.judge(err)
}

// apply records an intent, once.
func (t *term) apply(ctx context.Context, in Intent) (e wire.Entry, replayed bool, err error) {
	if err := t.take(ctx); err != nil {
		return wire.Entry{}, false, err
	}
	defer t.give()
	ctx, cancel := t.during(ctx)
	defer cancel()
	var lost error // of an attempt that may have recorded it
	for attempt := 0; ; attempt++ {
		e, replayed, err = t.dispatch(ctx, in)
		err = t.judge(err)
		if lost != nil && (errors.Is(err, errNotOwner) || errors.Is(err, errFenced)) {
			return wire.Entry{}, false, lost // only its id could have told
		}
		if errors.Is(err, errUnknown) {
			lost = err
		}
		// Whatever is not understood is read again. The id makes sure that an entry whose answer
		// was lost is not recorded twice.
		again := errors.Is(err, errSequence) || errors.Is(err, errUnknown)
		if again || errors.Is(err, errFenced) {
			t.opened = false
		}
		if !again || attempt == 1 || ctx.Err() != nil || !t.lease.Held() {
			return e, replayed, err
		}
	}
}

// judge ends the term when a worker has seen a newer owner: it knows better than
// any clock.
func (t *term) judge(err error) error {
	if errors.Is(err, errFenced) {
		t.lease.End(errFenced)
	}
	return err
}

// stalledTimeout bounds the request of a lesson.
const stalledTimeout = 5 * time.Second

// dispatch computes what an intent makes of its account and has that recorded.
func (t *term) dispatch(ctx context.Context, in Intent) (wire.Entry, bool, error) {
	if err := t.open(ctx); err != nil {
		return wire.Entry{}, false, err
	}
	before, err := t.account(ctx, in.Account)
	if err != nil {
		return wire.Entry{}, false, err
	}
	if err := permit(before, in); err != nil {
		// Perhaps because it was recorded already: then that is the answer.
		e, known := t.worker.entry(ctx, t.claim(), in.ID)
		if known == nil && e.Account == in.Account && e.Amount == in.Amount {
			return e, true, nil
		}
		if known == nil || errors.Is(known, errAbsent) {
			known = err
		}
		return wire.Entry{}, false, known
	}
	o := wire.Order{
		ID: in.ID, Account: in.Account, Amount: in.Amount,
		Balance: before.Balance + in.Amount, Version: before.Version + 1, Sequence: t.sequence + 1,
	}
	if !t.lease.Held() {
		return wire.Entry{}, false, errNotOwner
	}
	// From here to the ledger anything may take any time, a pause of this process
	// above all. That is what the token in the claim is for.
	if t.stall != nil && t.stall(ctx) {
		// A process that was paused goes on as if nothing had been.
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), stalledTimeout)
		defer cancel()
	}
	e, replayed, err := t.worker.record(ctx, t.claim(), o)
	if err == nil && !replayed {
		t.remember(wire.Account{Account: o.Account, Balance: o.Balance, Version: o.Version}, o.Sequence)
	}
	return e, replayed, err
}

// open makes the ledger refuse all earlier owners, before anything is read there.
func (t *term) open(ctx context.Context) error {
	if t.opened {
		return nil
	}
	at, err := t.worker.open(ctx, t.claim())
	if err != nil {
		return err
	}
	t.opened, t.sequence, t.accounts = true, at.Sequence, map[string]wire.Account{}
	return nil
}

func (t *term) account(ctx context.Context, name string) (wire.Account, error) {
	if a, known := t.accounts[name]; known {
		return a, nil
	}
	a, err := t.worker.account(ctx, t.claim(), name)
	if err == nil {
		t.remember(a, t.sequence)
	}
	return a, err
}

func (t *term) remember(a wire.Account, sequence uint64) {
	if len(t.accounts) >= maxCached {
		clear(t.accounts) // they are read again
	}
	t.accounts[a.Account], t.sequence = a, sequence
}

// permit tells whether the account lets an intent be.
func permit(before wire.Account, in Intent) error {
	after := before.Balance + in.Amount
	switch {
	case in.Version != nil && *in.Version != before.Version:
		return &errChanged{before.Version}
	case after < 0:
		return errFunds
	case after > wire.MaxBalance:
		return errBound
	}
	return nil
}

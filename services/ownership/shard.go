package ownership

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/services/ownership/lease"
	"github.com/flotilla-dev/flotilla/services/ownership/wire"
)

// A shard is this replica's side of one shard: it observes, campaigns, and leads.
type shard struct {
	number  int
	ledger  string // address of its worker
	store   lease.Store
	holder  string
	cfg     Config
	worker  worker
	stall   func(context.Context) bool
	view    *view
	history *history
	metrics *metrics
	log     *slog.Logger
	delay   func() time.Duration

	mu     sync.Mutex // guards all below
	term   *term      // nil while this replica is a listener
	resign chan struct{}
}

func (s *shard) election() lease.Election {
	return lease.Election{
		Lock:  lease.Lock{Store: s.store, Name: wire.LeaseName(s.number), Holder: s.holder, TTL: s.cfg.TTL, Poll: s.cfg.Poll},
		Delay: s.delay,
	}
}

// pauses are those after the store could not be asked.
var pauses = retry.Backoff{Base: 50 * time.Millisecond, Max: 500 * time.Millisecond}

// run campaigns and leads, again and again, until ctx ends.
func (s *shard) run(ctx context.Context) {
	for failures := 0; ctx.Err() == nil; {
		l, err := s.election().Campaign(ctx)
		if err == nil {
			failures = 0
			s.lead(ctx, l)
			continue
		}
		if ctx.Err() == nil {
			s.log.Debug("campaign has failed", "shard", s.number, "error", err)
			s.metrics.failed()
			_ = retry.Sleep(ctx, pauses.Delay(failures)) // the loop looks at ctx
			failures++
		}
	}
}

// lead owns the shard until the lease ends, ctx ends or somebody asks to resign.
func (s *shard) lead(ctx context.Context, l *lease.Lease) {
	t := newTerm(l, s.worker, s.cfg.Queue)
	t.stall = s.stall
	resign := s.begin(t)
	g := l.Grant()
	s.log.Info("owns a shard", "shard", s.number, "token", g.Token)
	select {
	case <-l.Context().Done():
	case <-ctx.Done():
	case <-resign:
	}
	s.end(ctx, t)
}

func (s *shard) begin(t *term) (resign <-chan struct{}) {
	s.mu.Lock()
	s.term, s.resign = t, make(chan struct{})
	resign = s.resign
	s.mu.Unlock()
	s.metrics.owns(1)
	s.view.wake()
	return resign
}

// end lets the entry on its way arrive, for as long as the lease allows, and gives the
// shard back.
func (s *shard) end(ctx context.Context, t *term) {
	s.mu.Lock()
	s.term = nil
	s.mu.Unlock()
	s.metrics.owns(-1)
	finish, cancel := context.WithDeadline(context.WithoutCancel(ctx), t.lease.Deadline())
	t.finish(finish)
	cancel()
	// It ends here, at the latest: whoever is next can only begin after what follows.
	why := reason(context.Cause(t.lease.Context()))
	s.history.ended(s.number, s.holder, t.lease.Token(), why)
	s.metrics.ended(why)
	release, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.Store.Timeout())
	defer cancel()
	err := t.lease.Resign(release)
	attrs := []any{"shard", s.number, "token", t.lease.Token(), "why", why}
	if err != nil && !errors.Is(err, lease.ErrLost) {
		attrs = append(attrs, "not_given_back", err) // it ends by itself
	}
	s.log.Info("does not own a shard any more", attrs...)
	if err == nil && errors.Is(context.Cause(t.lease.Context()), errFenced) {
		// To the store it was the owner until now. So there is no successor by whose token the ledger could have known better.
		s.log.Error("the ledger has seen a newer token than the store of owners gives: was the store restored from a backup, or a token made up? Nobody can act for the shard until tokens are larger again",
			"shard", s.number, "token", t.lease.Token(), "ledger", s.ledger)
	}
}

// reasons are why a term of this replica ends.
var reasons = []string{lease.Resigned, "unconfirmed", "lost", "fenced"}

func reason(why error) string {
	switch {
	case errors.Is(why, lease.ErrUnconfirmed):
		return "unconfirmed"
	case errors.Is(why, errFenced):
		return "fenced"
	case errors.Is(why, lease.ErrLost):
		return "lost"
	}
	return lease.Resigned
}

// owned returns the term, if this replica owns the shard.
func (s *shard) owned() *term {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.term
}

// giveUp resigns the shard, if this replica owns it.
func (s *shard) giveUp() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.term == nil {
		return false
	}
	select {
	case <-s.resign:
	default:
		close(s.resign)
	}
	return true
}

// observe keeps the view and the history, until ctx ends.
func (s *shard) observe(ctx context.Context) {
	for failures := 0; ctx.Err() == nil; failures++ {
		err := s.election().Observe(ctx, func(r lease.Record) {
			failures = 0
			s.history.observed(s.number, r)
			s.view.set(s.number, r)
		})
		if ctx.Err() != nil {
			return
		}
		s.log.Debug("cannot observe", "shard", s.number, "error", err)
		s.metrics.failed()
		_ = retry.Sleep(ctx, pauses.Delay(failures)) // the loop looks at ctx
	}
}

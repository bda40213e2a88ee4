package experiments

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/flotilla-dev/flotilla/internal/cable"
	"github.com/flotilla-dev/flotilla/loadtest/chaos"
	"github.com/flotilla-dev/flotilla/loadtest/linear"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// zombieScript is the interleaving of the book: an owner checks its lease, sends its
// entry, and is paused before that arrives. Its lease ends, the successor writes to the
// same account, and then the old entry arrives, computed from what was there before.
type zombieScript struct {
	o      *owners
	rec    recorders
	events *chaos.Events

	first         ownerView
	number        int // of the first owner among the replicas
	owner, second *rig.Proc

	refusedY, refusedLate bool
}

const zombieAccount = "zombie"

func newZombieScript(o *owners, log func(string, ...any)) *zombieScript {
	return &zombieScript{o: o, rec: newRecorders(), events: chaos.NewEvents(log)}
}

func (s *zombieScript) play(ctx context.Context) error {
	return s.events.Play(ctx, time.Minute,
		chaos.Step{Name: "the first owns the shard", Do: s.firstOwns},
		chaos.Step{Name: "x is recorded", After: []string{"the first owns the shard"}, Do: func(ctx context.Context) error {
			return s.recorded(ctx, s.owner, "x")
		}},
		chaos.Step{Name: "the network is slow", After: []string{"x is recorded"}, Do: func(context.Context) error {
			s.o.toLedger[s.number].Silence(cable.ToServer)
			return nil
		}},
		chaos.Step{Name: "y is answered", After: []string{"the network is slow"}, Do: s.sendY},
		chaos.Step{Name: "y is on its way", After: []string{"the network is slow"}, Do: func(ctx context.Context) error {
			return until(ctx, "y is on its way", func() (bool, error) { return s.o.toLedger[s.number].Held() > 0, nil })
		}},
		chaos.Step{Name: "the first is paused", After: []string{"y is on its way"}, Do: func(ctx context.Context) error { return s.owner.Pause(ctx) }},
		chaos.Step{Name: "the second owns the shard", After: []string{"the first is paused"}, Do: func(ctx context.Context) error {
			_, err := s.o.awaitOwner(ctx, s.second, 0, s.first.Token)
			return err
		}},
		chaos.Step{Name: "z is recorded", After: []string{"the second owns the shard"}, Do: func(ctx context.Context) error {
			return s.recorded(ctx, s.second, "z")
		}},
		chaos.Step{Name: "y arrives", After: []string{"z is recorded"}, Do: s.deliverY},
		chaos.Step{Name: "the first wakes", After: []string{"y arrives"}, Do: func(context.Context) error { return s.owner.Resume() }},
		chaos.Step{Name: "a late one of the first arrives", After: []string{"y arrives"}, Do: s.late},
		chaos.Step{Name: "all is read", After: []string{"y is answered", "a late one of the first arrives"}, Do: func(ctx context.Context) error {
			what, err := s.rec.read(ctx, s.o, 2, s.second, zombieAccount)
			if err == nil && what != recorded {
				err = errors.New("it cannot be read")
			}
			return err
		}},
	)
}

func (s *zombieScript) firstOwns(ctx context.Context) (err error) {
	if s.first, s.owner, err = s.o.acting(ctx, 0); err != nil {
		return err
	}
	s.number, _, err = s.o.replica(s.owner.Spec.Name)
	s.second = s.o.other(s.number)
	return err
}

// recorded sends an entry until it is recorded: a new owner may only just have begun.
func (s *zombieScript) recorded(ctx context.Context, to *rig.Proc, id string) error {
	return until(ctx, id+" is recorded", func() (bool, error) {
		what, err := s.rec.append(ctx, s.o, 0, to, id, zombieAccount)
		return what == recorded, err
	})
}

// sendY sends y to the first owner. It is answered once that has woken: if the ledger
// took it, that may be told or not.
func (s *zombieScript) sendY(ctx context.Context) error {
	_, err := s.rec.append(ctx, s.o, 1, s.owner, "y", zombieAccount)
	return err
}

// decisions are what the ledger can make of an entry.
var decisions = []string{"stale", "recorded", "out-of-sequence"}

// decided counts what the ledger has decided until now.
func (s *zombieScript) decided(ctx context.Context) (stale, all float64, err error) {
	for _, outcome := range decisions {
		n, err := counter(ctx, s.o.ledger, fmt.Sprintf("ledger_requests_total{outcome=%q}", outcome))
		if err != nil {
			return 0, 0, err
		}
		if all += n; outcome == "stale" {
			stale = n
		}
	}
	return stale, all, nil
}

// deliverY lets y arrive, and waits until the ledger has decided.
func (s *zombieScript) deliverY(ctx context.Context) error {
	stale, all, err := s.decided(ctx)
	if err != nil {
		return err
	}
	s.o.toLedger[s.number].Mend()
	return until(ctx, "the ledger decides about y", func() (bool, error) {
		staleNow, allNow, err := s.decided(ctx)
		s.refusedY = staleNow > stale
		return allNow > all, err
	})
}

// late gives the ledger one more entry in the name of the first owner, as a network may
// that delivers what was sent long ago. Its number is the next one: nothing is wrong with it but the token.
func (s *zombieScript) late(ctx context.Context) error {
	const account = "late"
	write := s.rec.tokens.Begin(linear.Operation{Client: 3, Key: "shard-0", Do: linear.Write, Token: s.first.Token})
	header := http.Header{
		"Ownership-Owner": {fmt.Sprintf("%s@%s#%s", s.first.Owner, s.first.Addr, s.first.Run)},
		"Ownership-Token": {strconv.FormatUint(s.first.Token, 10)}, "Ownership-Version": {"late"},
	}
	order := fmt.Appendf(nil, `{"id":"w","account":%q,"amount":1,"balance":1,"version":1,"sequence":3}`, account)
	a, err := s.o.do(ctx, http.MethodPost, "http://"+s.o.ledger.Data+"/v1/shards/0/entries", header, order)
	switch {
	case err != nil:
		write.Unknown()
		return err
	case a.status == http.StatusConflict:
		s.refusedLate = bytes.Contains(a.body, []byte("#token-stale"))
		write.Refused()
	case a.status == http.StatusCreated:
		write.OK()
	default:
		write.Unknown()
		return fmt.Errorf("late entry: %s", a)
	}
	return nil
}

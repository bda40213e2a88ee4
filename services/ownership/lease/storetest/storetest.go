// Package storetest is the conformance suite of lease.Store: every implementation
// passes it, over the embedded, the real and the fake server alike.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/services/ownership/lease"
)

// Leases whose end is waited for are short, and nobody relies on them; the others outlive
// the test on the slowest machine.
const (
	short = 2 * time.Second
	long  = 5 * time.Minute
)

// patience is that of a test with a busy machine.
const patience = 2 * time.Minute

// A Factory returns a client of one and the same store, as another process has it.
type Factory func(t *testing.T) lease.Store

// Run runs the suite.
func Run(t *testing.T, factory Factory) {
	for name, test := range map[string]func(*suite){
		"OfManyOneGetsTheName":              many,
		"TokensGrowFromHolderToHolder":      tokens,
		"SomebodyElsesGrantIsNotReleased":   versions,
		"ASilentHolderIsSucceeded":          expiry,
		"ARenewedGrantOutlivesItsTTL":       renewal,
		"NextTellsOfEveryChangeThatLasts":   next,
		"NextEndsWithItsContext":            ends,
		"AResignedLeaderIsFollowedAtOnce":   resigns,
		"AFormerLeaderStaysAListener":       listens,
		"AFormerTermOfOnesOwnIsNoObstacle":  again,
		"ALockIsWaitedForByWatchAndByPoll":  locks,
		"AnEntryThatWasNeverThereIsNobodys": nobody,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			t.Cleanup(cancel)
			test(&suite{T: t, ctx: ctx, a: factory(t), b: factory(t), name: fmt.Sprintf("n%d", names.Add(1))})
		})
	}
}

// names makes each test's name its own.
var names atomic.Int64

type suite struct {
	*testing.T
	ctx  context.Context
	a, b lease.Store
	name string
}

func (s *suite) acquire(store lease.Store, holder string, ttl time.Duration) lease.Grant {
	s.Helper()
	g, err := store.Acquire(s.ctx, s.name, holder, ttl)
	if err != nil {
		s.Fatalf("%s acquires: %v", holder, err)
	}
	if g.Token == 0 || g.Holder != holder || g.Name != s.name || g.TTL > ttl || g.TTL <= 0 || g.Version == "" {
		s.Fatalf("%s got %+v", holder, g)
	}
	return g
}

func (s *suite) release(store lease.Store, g lease.Grant) {
	s.Helper()
	if err := store.Release(s.ctx, g); err != nil {
		s.Fatalf("%s releases: %v", g.Holder, err)
	}
}

// await returns the first record that is as wanted.
func (s *suite) await(store lease.Store, what string, wanted func(lease.Record) bool) lease.Record {
	s.Helper()
	var seen lease.Record
	for {
		r, err := store.Next(s.ctx, s.name, seen)
		if err != nil {
			s.Fatalf("%s: %v, after %+v", what, err, seen)
		}
		if wanted(r) {
			return r
		}
		seen = r
	}
}

func free(r lease.Record) bool { return r.Holder == "" }

func many(s *suite) {
	var won atomic.Int32
	var all sync.WaitGroup
	for i := range 8 {
		store := s.a
		if i%2 == 1 {
			store = s.b
		}
		all.Go(func() {
			_, err := store.Acquire(s.ctx, s.name, fmt.Sprintf("h%d", i), long)
			switch {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, lease.ErrHeld):
				s.Errorf("h%d: %v", i, err)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 {
		s.Errorf("%d got the name", won.Load())
	}
}

func tokens(s *suite) {
	var last lease.Token
	for i := range 4 {
		// The same holder again is another grant, too.
		g := s.acquire(s.a, fmt.Sprintf("h%d", i/2), long)
		if g.Token <= last {
			s.Errorf("token %d after %d", g.Token, last)
		}
		last = g.Token
		r, err := s.b.Next(s.ctx, s.name, lease.Record{})
		if err != nil || r.Token != g.Token || r.Holder != g.Holder || r.TTL != g.TTL || r.Since.IsZero() {
			s.Errorf("%+v is not %+v, %v", r, g, err)
		}
		s.release(s.a, g)
	}
}

func versions(s *suite) {
	first := s.acquire(s.a, "first", short)
	s.await(s.b, "the first one expires", free)
	second := s.acquire(s.b, "second", long)
	if err := s.a.Release(s.ctx, first); !errors.Is(err, lease.ErrLost) {
		s.Errorf("the first one released what the second one has: %v", err)
	}
	if _, err := s.a.Renew(s.ctx, first); !errors.Is(err, lease.ErrLost) {
		s.Errorf("the first one renewed what the second one has: %v", err)
	}
	renewed, err := s.b.Renew(s.ctx, second)
	if err != nil {
		s.Fatalf("the second one does not have it any more: %v", err)
	}
	s.release(s.b, renewed)
	if err := s.b.Release(s.ctx, renewed); !errors.Is(err, lease.ErrLost) {
		s.Errorf("released twice: %v", err)
	}
}

func expiry(s *suite) {
	asked := time.Now()
	first := s.acquire(s.a, "first", short)
	if _, err := s.b.Acquire(s.ctx, s.name, "second", short); !errors.Is(err, lease.ErrHeld) && time.Since(asked) < short {
		s.Errorf("taken from who holds it: %v", err)
	}
	r := s.await(s.b, "it expires", free)
	if took := time.Since(asked); took < first.TTL {
		s.Errorf("it was free after %v of %v", took, first.TTL)
	}
	if r.Ended == lease.Resigned {
		s.Errorf("%+v did not resign", r)
	}
	second := s.acquire(s.b, "second", long)
	if second.Token <= first.Token {
		s.Errorf("token %d after %d", second.Token, first.Token)
	}
	if r, err := s.a.Next(s.ctx, s.name, lease.Record{}); err != nil || r.Before != lease.Expired {
		s.Errorf("%+v, %v", r, err)
	}
	s.release(s.b, second)
	s.acquire(s.a, "first", long)
	if r, err := s.b.Next(s.ctx, s.name, lease.Record{}); err != nil || r.Before != lease.Resigned {
		s.Errorf("%+v, %v", r, err)
	}
}

func renewal(s *suite) {
	const ttl = 3 * short // a machine that stands still for longer fails the test
	g := s.acquire(s.a, "holder", ttl)
	for began := time.Now(); time.Since(began) < 2*ttl; time.Sleep(ttl / 60) {
		renewed, err := s.a.Renew(s.ctx, g)
		if err != nil {
			s.Fatalf("after %v: %v", time.Since(began), err)
		}
		if renewed.Token != g.Token {
			s.Fatalf("the token has changed from %d to %d", g.Token, renewed.Token)
		}
		g = renewed
		if r, err := s.b.Next(s.ctx, s.name, lease.Record{}); err != nil || r.Holder != "holder" || r.Token != g.Token {
			s.Fatalf("after %v: %+v, %v", time.Since(began), r, err)
		}
	}
	s.release(s.a, g)
}

func next(s *suite) {
	records := make(chan lease.Record, 16)
	var observer sync.WaitGroup
	ctx, cancel := context.WithCancel(s.ctx)
	defer observer.Wait()
	defer cancel()
	observer.Go(func() {
		var last lease.Record
		for {
			r, err := s.b.Next(ctx, s.name, last)
			if err != nil {
				return
			}
			last = r
			records <- r
		}
	})
	expect := func(what string, wanted func(lease.Record) bool) {
		s.Helper()
		for {
			select {
			case r := <-records:
				if wanted(r) {
					return
				}
			case <-s.ctx.Done():
				s.Fatalf("it was never told that %s", what)
			}
		}
	}
	expect("nobody has it", free)
	g := s.acquire(s.a, "one", long)
	expect("one has it", func(r lease.Record) bool { return r.Holder == "one" && r.Token == g.Token })
	s.release(s.a, g)
	expect("one has resigned", func(r lease.Record) bool { return r.Holder == "" && r.Ended == lease.Resigned })
	s.acquire(s.a, "two", 2*short)
	expect("two has it", func(r lease.Record) bool { return r.Holder == "two" })
	expect("two is silent", func(r lease.Record) bool { return r.Holder == "" && r.Ended != lease.Resigned })
}

func ends(s *suite) {
	r, err := s.a.Next(s.ctx, s.name, lease.Record{})
	if err != nil {
		s.Fatal(err)
	}
	ctx, cancel := context.WithCancel(s.ctx)
	time.AfterFunc(50*time.Millisecond, cancel)
	if r, err := s.a.Next(ctx, s.name, r); !errors.Is(err, context.Canceled) {
		s.Errorf("%+v, %v", r, err)
	}
}

func (s *suite) election(store lease.Store, holder string) lease.Election {
	return lease.Election{Lock: lease.Lock{Store: store, Name: s.name, Holder: holder, TTL: long}}
}

func (s *suite) campaign(e lease.Election) *lease.Lease {
	s.Helper()
	l, err := e.Campaign(s.ctx)
	if err != nil {
		s.Fatalf("%s campaigns: %v", e.Holder, err)
	}
	s.Cleanup(func() { _ = l.Resign(context.Background()) }) // it may have ended
	return l
}

func resigns(s *suite) {
	first := s.campaign(s.election(s.a, "first"))
	elected := make(chan *lease.Lease, 1)
	go func() {
		if l, err := s.election(s.b, "second").Campaign(s.ctx); err == nil {
			elected <- l
		}
	}()
	select {
	case <-elected:
		s.Fatal("there are two leaders")
	case <-time.After(100 * time.Millisecond): // nobody can wait for what must not happen
	}
	if !first.Held() {
		s.Fatal("the leader has lost it")
	}
	if err := first.Resign(s.ctx); err != nil {
		s.Fatal(err)
	}
	if first.Held() || context.Cause(first.Context()) != lease.ErrResigned {
		s.Errorf("it resigned: %v, %v", first.Held(), context.Cause(first.Context()))
	}
	select {
	case second := <-elected:
		if second.Token() <= first.Token() || !second.Held() {
			s.Errorf("%+v after %+v", second.Grant(), first.Grant())
		}
		if err := second.Resign(s.ctx); err != nil {
			s.Error(err)
		}
	case <-s.ctx.Done():
		s.Fatal("nobody follows")
	}
}

func listens(s *suite) {
	former := s.acquire(s.a, "first", short)
	s.await(s.b, "the first one expires", free)
	second := s.campaign(s.election(s.b, "second"))
	ctx, cancel := context.WithTimeout(s.ctx, short)
	defer cancel()
	if l, err := s.election(s.a, "first").Campaign(ctx); err == nil {
		s.Errorf("%+v was taken over by %+v", second.Grant(), l.Grant())
	}
	if _, err := s.a.Renew(s.ctx, former); !errors.Is(err, lease.ErrLost) {
		s.Errorf("%v", err)
	}
	if !second.Held() {
		s.Error("the second one has lost it")
	}
}

func again(s *suite) {
	former := s.acquire(s.a, "first", long) // it is in the store, and the process has given it up
	l := s.campaign(s.election(s.a, "first"))
	if l.Token() <= former.Token {
		s.Errorf("token %d after %d", l.Token(), former.Token)
	}
}

func locks(s *suite) {
	for _, poll := range []time.Duration{0, 10 * time.Millisecond} {
		a := lease.Lock{Store: s.a, Name: s.name, Holder: "a", TTL: long, Poll: poll}
		b := lease.Lock{Store: s.b, Name: s.name, Holder: "b", TTL: long, Poll: poll}
		g, err := a.Lock(s.ctx)
		if err != nil {
			s.Fatal(err)
		}
		if _, err := b.TryLock(s.ctx); !errors.Is(err, lease.ErrHeld) {
			s.Errorf("%v", err)
		}
		got := make(chan error, 1)
		go func() {
			h, err := b.Lock(s.ctx)
			if err == nil {
				err = b.Unlock(s.ctx, h)
			}
			got <- err
		}()
		if err := a.Unlock(s.ctx, g); err != nil {
			s.Error(err)
		}
		if err := <-got; err != nil {
			s.Errorf("poll %v: %v", poll, err)
		}
	}
}

func nobody(s *suite) {
	r, err := s.a.Next(s.ctx, s.name, lease.Record{})
	if err != nil || r.Holder != "" || r.Token != 0 || r.Version == "" {
		s.Errorf("%+v, %v", r, err)
	}
	g := lease.Grant{Name: s.name, Holder: "h", Token: 1, Version: r.Version, TTL: long}
	if _, err := s.a.Renew(s.ctx, g); !errors.Is(err, lease.ErrLost) {
		s.Errorf("renewed what nobody has: %v", err)
	}
}

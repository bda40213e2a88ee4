package lease

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a store on the clock of a test, which fails as it is told.
type fake struct {
	mu      sync.Mutex // guards all below
	token   Token
	record  Record
	expiry  time.Time
	changed chan struct{}
	renewed int
	away    error         // of all requests
	slow    time.Duration // before a renewal is carried out
	late    time.Duration // after it was
	hung    int           // so many renewals get no answer
}

func newFake() *fake { return &fake{changed: make(chan struct{})} }

func (f *fake) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *fake) write(r Record) {
	f.record = r
	f.record.Version = fmt.Sprint(f.token, r.Holder, r.Ended)
	close(f.changed)
	f.changed = make(chan struct{})
}

// expire takes the name from a silent holder; the mutex is held.
func (f *fake) expire() {
	if f.record.Holder != "" && !time.Now().Before(f.expiry) {
		f.write(Record{Name: f.record.Name, Ended: Expired})
	}
}

func (f *fake) Acquire(_ context.Context, name, holder string, ttl time.Duration) (Grant, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.expire()
	switch {
	case f.away != nil:
		return Grant{}, f.away
	case f.record.Holder != "":
		return Grant{}, ErrHeld
	}
	f.token++
	f.expiry = time.Now().Add(ttl)
	f.write(Record{Name: name, Holder: holder, Token: f.token, TTL: ttl})
	return Grant{Name: name, Holder: holder, Token: f.token, TTL: ttl, Version: f.record.Version}, nil
}

func (f *fake) Renew(ctx context.Context, g Grant) (Grant, error) {
	f.mu.Lock()
	slow, late, hangs := f.slow, f.late, f.hung > 0
	f.hung--
	f.mu.Unlock()
	if hangs {
		<-ctx.Done()
		return g, ctx.Err()
	}
	sleep(ctx, slow)
	err := f.renew(ctx, g)
	sleep(ctx, late)
	return g, errors.Join(err, ctx.Err())
}

func (f *fake) renew(ctx context.Context, g Grant) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.expire()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case f.away != nil:
		return f.away
	case f.record.Token != g.Token:
		return ErrLost
	}
	f.renewed++
	f.expiry = time.Now().Add(g.TTL)
	return nil
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

func (f *fake) Release(_ context.Context, g Grant) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.expire()
	switch {
	case f.away != nil:
		return f.away
	case f.record.Token != g.Token:
		return ErrLost
	}
	f.write(Record{Name: g.Name, Ended: Resigned})
	return nil
}

func (f *fake) Next(ctx context.Context, name string, seen Record) (Record, error) {
	for {
		f.mu.Lock()
		f.expire()
		r, changed, away, left := f.record, f.changed, f.away, time.Until(f.expiry)
		f.mu.Unlock()
		r.Name = name
		if away != nil {
			return Record{}, away
		}
		if r.Version == "" {
			r.Version = "none"
		}
		if r.Version != seen.Version {
			return r, nil
		}
		if left <= 0 {
			left = time.Hour
		}
		select {
		case <-changed:
		case <-time.After(left):
		case <-ctx.Done():
			return Record{}, ctx.Err()
		}
	}
}

const ttl = 8 * time.Second

// lead starts a lease, and the list of why it was lost.
func lead(t *testing.T, f *fake) (*Lease, func() []error) {
	t.Helper()
	var mu sync.Mutex
	var why []error
	e := Election{Lock: Lock{Store: f, Name: "n", Holder: "me", TTL: ttl}, OnLost: func(err error) {
		mu.Lock()
		defer mu.Unlock()
		why = append(why, err)
	}}
	l, err := e.Campaign(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return l, func() []error {
		mu.Lock()
		defer mu.Unlock()
		return why
	}
}

var errAway = errors.New("away")

func TestALeaseIsHeldForThreeQuartersOfItsTTLAndNoLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		l, lost := lead(t, f)
		f.set(func() { f.away = errAway })
		time.Sleep(6*time.Second - 1) // 0.75 × 8 s
		synctest.Wait()
		if !l.Held() || l.Context().Err() != nil {
			t.Error("it is not held up to three quarters")
		}
		time.Sleep(time.Nanosecond)
		if l.Held() {
			t.Error("it is held after three quarters")
		}
		synctest.Wait()
		if context.Cause(l.Context()) != ErrUnconfirmed || len(lost()) != 1 || lost()[0] != ErrUnconfirmed {
			t.Errorf("%v, %v", context.Cause(l.Context()), lost())
		}
		f.set(func() { f.away = nil })
		time.Sleep(ttl)
		if l.Held() {
			t.Error("it came back")
		}
		if err := l.Resign(t.Context()); !errors.Is(err, ErrLost) || len(lost()) != 1 {
			t.Errorf("%v, %v", err, lost())
		}
	})
}

func TestALeaseIsRenewedHalfWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		l, lost := lead(t, f)
		time.Sleep(10*ttl + time.Second)
		synctest.Wait()
		f.set(func() {
			if f.renewed != 20 {
				t.Errorf("%d renewals in ten TTLs", f.renewed)
			}
		})
		if !l.Held() || len(lost()) != 0 {
			t.Errorf("%v", lost())
		}
		if err := l.Resign(t.Context()); err != nil || l.Held() || len(lost()) != 0 {
			t.Errorf("%v, %v: who resigns has lost nothing", err, lost())
		}
	})
}

func TestARenewalCountsFromBeforeItWasSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		l, _ := lead(t, f)
		f.set(func() { f.slow = time.Second / 2 }) // sent at 4 s, carried out and answered at 4.5 s
		time.Sleep(4*time.Second + time.Second/2 + 1)
		synctest.Wait()
		if left := time.Until(l.Deadline()); left != 5*time.Second+time.Second/2-1 { // at 4 s + 6 s
			t.Errorf("it is held for another %v", left)
		}
		if err := l.Resign(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestALateConfirmationBringsNothingBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		l, lost := lead(t, f)
		f.set(func() { f.late = time.Hour }) // carried out in time, told too late
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if l.Held() || len(lost()) != 1 {
			t.Errorf("%v", lost())
		}
		if err := l.Resign(t.Context()); err != nil { // it is still in the store, and is given back
			t.Error(err)
		}
	})
}

func TestAFailedRenewalIsRepeatedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		l, lost := lead(t, f)
		f.set(func() { f.away = errAway })
		time.Sleep(5 * time.Second)
		f.set(func() { f.away = nil })
		time.Sleep(ttl)
		synctest.Wait()
		if !l.Held() || len(lost()) != 0 {
			t.Errorf("%v", lost())
		}
		if err := l.Resign(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// One member of the store hangs. The renewal that it got is given up while there is time for
// another one.
func TestARenewalWithoutAnAnswerIsRepeatedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		l, lost := lead(t, f)
		f.set(func() { f.hung = 1 })
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if !l.Held() || len(lost()) != 0 {
			t.Errorf("%v", lost())
		}
		if err := l.Resign(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestALostGrantIsNoticedByTheNextRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		l, lost := lead(t, f)
		f.set(func() { f.token++; f.write(Record{Name: "n", Holder: "other", Token: f.token, TTL: ttl}) })
		time.Sleep(4 * time.Second)
		synctest.Wait()
		if l.Held() || len(lost()) != 1 || lost()[0] != ErrLost || context.Cause(l.Context()) != ErrLost {
			t.Errorf("%v", lost())
		}
		if err := l.Resign(t.Context()); !errors.Is(err, ErrLost) {
			t.Errorf("%v", err)
		}
		f.set(func() {
			if f.record.Holder != "other" {
				t.Errorf("%+v", f.record)
			}
		})
	})
}

func TestWhatEndsALeaseIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		l, lost := lead(t, f)
		fenced := errors.New("fenced")
		for range 3 {
			l.End(fenced)
		}
		if l.Held() || len(lost()) != 1 || lost()[0] != fenced || context.Cause(l.Context()) != fenced {
			t.Errorf("%v", lost())
		}
		if err := l.Resign(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestAGrantThatCameTooLateIsNotHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		asked := time.Now()
		g, err := f.Acquire(t.Context(), "n", "me", ttl)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(7 * time.Second) // the answer was on its way
		l := Keep(f, g, asked, nil)
		if l.Held() {
			t.Error("it is held")
		}
		synctest.Wait()
		if context.Cause(l.Context()) != ErrUnconfirmed {
			t.Errorf("%v", context.Cause(l.Context()))
		}
		if err := l.Resign(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestAResignationWaitsForNobodyLongerThanItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		l, _ := lead(t, f)
		f.set(func() { f.away = errAway })
		if err := l.Resign(t.Context()); !errors.Is(err, errAway) || l.Held() {
			t.Errorf("%v", err)
		}
	})
}

func TestACandidateHoldsBackAndMayBeTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		won := make(chan string, 2)
		ctx, cancel := context.WithCancel(t.Context())
		for holder, delay := range map[string]time.Duration{"idle": 0, "busy": time.Second} {
			e := Election{Lock: Lock{Store: f, Name: "n", Holder: holder, TTL: ttl}, Delay: func() time.Duration { return delay }}
			go func() {
				l, err := e.Campaign(ctx)
				if err == nil {
					won <- holder
					_ = l.Resign(ctx) // it is the last thing
				}
			}()
		}
		if first := <-won; first != "idle" {
			t.Errorf("%s has won", first)
		}
		if second := <-won; second != "busy" {
			t.Errorf("%s has won", second)
		}
		cancel()
	})
}

func TestACampaignEndsWithItsContextAndItsStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		holder, _ := lead(t, f)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		e := Election{Lock: Lock{Store: f, Name: "n", Holder: "other", TTL: ttl}}
		if _, err := e.Campaign(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		f.set(func() { f.away = errAway })
		if _, err := e.Campaign(t.Context()); !errors.Is(err, errAway) {
			t.Errorf("%v", err)
		}
		f.set(func() { f.away = nil })
		if err := holder.Resign(t.Context()); err != nil && !errors.Is(err, ErrLost) {
			t.Error(err)
		}
	})
}

// What a waiter waits for after a release, by watch and by poll.
func TestAWaiterThatPollsIsLate(t *testing.T) {
	for poll, want := range map[time.Duration]time.Duration{0: 0, 3 * time.Second: 2 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			f := newFake()
			g, err := f.Acquire(t.Context(), "n", "first", time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			got := make(chan time.Time)
			go func() {
				if _, err := (Lock{Store: f, Name: "n", Holder: "second", TTL: ttl, Poll: poll}).Lock(t.Context()); err != nil {
					t.Error(err)
				}
				got <- time.Now()
			}()
			time.Sleep(4 * time.Second) // polls come at 0, 3 and 6 s
			released := time.Now()
			if err := f.Release(t.Context(), g); err != nil {
				t.Fatal(err)
			}
			if waited := (<-got).Sub(released); waited != want {
				t.Errorf("poll %v: it waited for %v after the release, want %v", poll, waited, want)
			}
		})
	}
}

func TestIdentitiesAreReadAsTheyAreWritten(t *testing.T) {
	for _, i := range []Identity{{"ownership-1", "10.0.0.1:8104", "abc"}, {"o", "[::1]:1", "x"}, {"o", "", "x"}} {
		if got, err := ParseIdentity(i.String()); err != nil || got != i {
			t.Errorf("%s: %+v, %v", i, got, err)
		}
	}
	for _, text := range []string{"", "a", "a@", "a@b#x", "a@b:1", "a@b:1#", "@b:1#x", "a b@c:1#x", "a@b:1#x y"} {
		if got, err := ParseIdentity(text); err == nil {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

func FuzzParseIdentity(f *testing.F) {
	for _, text := range []string{"ownership-1@10.0.0.1:8104#abc", "a@[::1]:1#x", "a@#x", "@@##"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		i, err := ParseIdentity(text)
		if err != nil {
			return
		}
		if again, err := ParseIdentity(i.String()); err != nil || again != i {
			t.Errorf("%q: %+v, then %+v, %v", text, i, again, err)
		}
	})
}

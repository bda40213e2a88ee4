package upstream

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// fail makes requests to an endpoint fail.
func fail(e *Endpoint, times int) {
	for range times {
		e.inFlight.Add(1)
		e.Done(ConnectError, time.Millisecond)
	}
}

func ejecting(share float64) Health {
	return Health{EjectAfter: 3, EjectBase: time.Second, EjectMax: 3 * time.Second, EjectShare: share}
}

func usable(p *Pool) int { return len(p.view.Load().usable) }

// inBubble runs the pool under a clock that the test drives.
func inBubble(t *testing.T, h Health, test func(*Pool), addrs ...string) {
	synctest.Test(t, func(t *testing.T) {
		p := static(t, Options{Health: h}, addrs...)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- p.Run(ctx) }()
		synctest.Wait()
		test(p)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// after lets the clock run and everything that is due happen.
func after(d time.Duration) {
	time.Sleep(d) // the bubble's clock
	synctest.Wait()
}

func TestEjectionSchedule(t *testing.T) {
	inBubble(t, ejecting(0.5), func(p *Pool) {
		e := p.members[0]
		fail(e, 2)
		if usable(p) != 3 {
			t.Fatal("ejected after 2 of 3 failures")
		}
		fail(e, 1)
		// The nth ejection lasts n × EJECT_BASE, at most EJECT_MAX; on probation
		// one failure is enough.
		for n, length := range []time.Duration{1, 2, 3, 3} {
			length *= time.Second
			if usable(p) != 2 {
				t.Fatalf("ejection %d did not happen", n+1)
			}
			after(length - time.Millisecond)
			if usable(p) != 2 {
				t.Fatalf("ejection %d was shorter than %s", n+1, length)
			}
			after(time.Millisecond)
			if usable(p) != 3 {
				t.Fatalf("ejection %d was longer than %s", n+1, length)
			}
			fail(e, 1)
		}
	}, "a:1", "b:1", "c:1")
}

func TestSuccessEndsProbation(t *testing.T) {
	inBubble(t, ejecting(0.5), func(p *Pool) {
		e := p.members[0]
		fail(e, 3)
		after(time.Second)
		e.Report(OK, time.Millisecond)
		fail(e, 2)
		if usable(p) != 3 {
			t.Error("ejected by two failures after a success")
		}
	}, "a:1", "b:1", "c:1")
}

func TestGoodTimesForgetEarlierEjections(t *testing.T) {
	inBubble(t, ejecting(0.5), func(p *Pool) {
		e := p.members[0]
		fail(e, 3)
		after(time.Second)
		e.Report(OK, time.Millisecond)
		after(time.Minute)
		fail(e, 3)
		if usable(p) != 2 {
			t.Fatal("not ejected")
		}
		after(time.Second)
		if usable(p) != 3 {
			t.Error("an ejection after a good minute was longer than the first")
		}
	}, "a:1", "b:1", "c:1")
}

func TestOnlyAShareIsEjected(t *testing.T) {
	for share, want := range map[float64]int{0: 4, 0.5: 3, 0.8: 1, 1: 5} { // of five; at 1 panic brings all back
		p := static(t, Options{Health: ejecting(share)}, "a:1", "b:1", "c:1", "d:1", "e:1")
		for _, e := range p.members {
			fail(e, 3)
		}
		if got := usable(p); got != want {
			t.Errorf("share %v leaves %d usable, want %d", share, got, want)
		}
	}
}

func TestWhenAllAreEjectedAllAreUsed(t *testing.T) {
	inBubble(t, ejecting(1), func(p *Pool) {
		for i, e := range p.members {
			fail(e, 3)
			if s := p.Snapshot(); s.Panic != (i == 1) {
				t.Fatalf("%d of 2 ejected: panic %v", i+1, s.Panic)
			}
			if n, overridden := p.Usable(); overridden != (i == 1) || n != i+1 {
				t.Fatalf("%d of 2 ejected: %d usable, overridden %v", i+1, n, overridden)
			}
		}
		e := mustPick(t, p, "", nil)
		e.Done(OK, 0)
		owner := p.ring.Owner("k")
		if e := mustPick(t, p, "k", nil); e.Name() != owner {
			t.Errorf("in panic the key went to %s, not to its owner", e.Name())
		} else {
			e.Done(OK, 0)
		}
		after(time.Second)
		if s := p.Snapshot(); s.Panic || s.Usable != 2 {
			t.Errorf("after the ejections: %+v", s)
		}
	}, "a:1", "b:1")
}

// A check is a statement, an ejection a guess: what is down stays out even if
// all others are ejected.
func TestPanicDoesNotUseWhatIsDown(t *testing.T) {
	p := static(t, Options{Health: ejecting(1)}, "a:1", "b:1")
	down(p, 0)
	fail(p.members[1], 3)
	for range 10 {
		if e := mustPick(t, p, "", nil); e != p.members[1] {
			t.Fatal("an endpoint that is down was picked")
		}
	}
}

func TestCanceledAndAnsweredRequestsDoNotEject(t *testing.T) {
	p := static(t, Options{Health: ejecting(1)}, "a:1", "b:1")
	e := p.members[0]
	for range 10 {
		e.Report(Canceled, time.Second)
		e.Report(OfStatus(404), 0)
		e.Report(OfStatus(501), 0)
	}
	if usable(p) != 2 || e.Latency() != 0 {
		t.Errorf("%d usable, latency %s", usable(p), e.Latency())
	}
	fail(e, 2)
	e.Report(Canceled, 0) // neither counts nor clears
	e.Report(ServerError, 0)
	if usable(p) != 1 {
		t.Error("three failures with a cancellation between did not eject")
	}
}

func TestConcurrentFailuresAreOneEjection(t *testing.T) {
	p := static(t, Options{Health: ejecting(0.5)}, "a:1", "b:1", "c:1")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() { fail(p.members[0], 100) })
	}
	all.Wait()
	if s := p.Snapshot().Endpoints[0]; s.Ejections != 1 || s.InFlight != 0 || s.Outcomes["connect_error"] != 800 {
		t.Errorf("%+v", s)
	}
}

func TestLatencyIsAMovingAverage(t *testing.T) {
	p := static(t, Options{}, "a:1")
	e := p.members[0]
	e.Report(OK, 80*time.Millisecond)
	e.Report(OK, 160*time.Millisecond)         // 80 + (160-80)/8
	e.Report(ConnectError, time.Microsecond)   // a refusal is no speed
	e.Report(Canceled, 10*time.Second)         // nor is impatience
	e.Report(ServerError, 90*time.Millisecond) // 90 + 0
	if e.Latency() != 90*time.Millisecond {
		t.Error(e.Latency())
	}
}

// Of two endpoints one may be ejected. When the other one dies then, it is used as before, and who has failed there has the ejected one.
func TestAnEjectedEndpointIsASpare(t *testing.T) {
	inBubble(t, ejecting(0.5), func(p *Pool) {
		good, gone := p.members[0], p.members[1]
		fail(good, 3)
		fail(gone, 3)
		if e := p.view.Load().usable; len(e) != 1 || e[0] != gone {
			t.Fatalf("%v are usable", e)
		}
		var tried Tried
		for range 2 {
			tried.Reset()
			if e, err := p.Pick("", &tried); err != nil || e != gone {
				t.Fatalf("picked %v, %v", e, err)
			}
			if e, err := p.Spare(&tried); err != nil || e != good || tried.Len() != 2 {
				t.Fatalf("the spare is %v, %v, of %d", e, err, tried.Len())
			}
			if e, err := p.Spare(&tried); err == nil {
				t.Fatalf("%v is lent twice", e)
			}
		}
		after(time.Second) // it is readmitted
		tried.Reset()
		if e, err := p.Spare(&tried); err == nil {
			t.Fatalf("%v is usable and a spare", e)
		}
	}, "a:1", "b:1")
}

package limit

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	ClientLog(slog.New(slog.DiscardHandler))
	goleak.VerifyTestMain(m)
}

func classOf(rate float64, burst int) Limits {
	return Limits{{Name: "all", Prefix: "/", Anonymous: &Rate{rate, burst}, Login: &Rate{rate * 4, burst * 4}}}
}

func client(n int) Identity { return OfAddress(netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)})) }

// fleet starts replicas in the bubble of a test; stop ends them.
func fleet(t *testing.T, n int, store Store, limits Limits) (replicas []*Limiter, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	for i := range n {
		l, err := New(Options{Limits: limits, Store: store, Instance: fmt.Sprintf("cache-%d", i), Replicas: n})
		if err != nil {
			t.Fatal(err)
		}
		replicas = append(replicas, l)
		go func() { _ = l.Run(ctx); done <- struct{}{} }()
	}
	return replicas, func() {
		cancel()
		for range n {
			<-done
		}
	}
}

// flood sends perSecond requests a second for that long, each to the replica that route says, and returns how
// many were allowed.
func flood(replicas []*Limiter, who Identity, perSecond float64, long time.Duration, route func(i int) int) int {
	allowed, gap := 0, time.Duration(float64(time.Second)/perSecond)
	for i := range int(long / gap) {
		if replicas[route(i)].Decide(who, "/dog").Allowed {
			allowed++
		}
		time.Sleep(gap)
	}
	return allowed
}

// within checks burst + rate × time.
func within(t *testing.T, allowed int, rate float64, burst int, long time.Duration, tolerance float64) {
	t.Helper()
	want := float64(burst) + rate*long.Seconds()
	if off := math.Abs(float64(allowed)-want) / want; off > tolerance {
		t.Errorf("allowed %d, want %.0f = %d + %v/s × %v: off by %.1f %%", allowed, want, burst, rate, long, 100*off)
	}
}

func TestAFloodGetsBurstPlusRateTimesTime(t *testing.T) {
	routes := map[string]func(replicas int) func(int) int{
		"in turn":     func(n int) func(int) int { return func(i int) int { return i % n } },
		"to one":      func(int) func(int) int { return func(int) int { return 0 } },
		"mostly one":  func(n int) func(int) int { return func(i int) int { return max(0, i%20-18) % n } },
		"alternating": func(n int) func(int) int { return func(i int) int { return i / 400 % n } },
	}
	limits := []Rate{{50, 20}, {50, 200}, {5, 10}, {500, 100}}
	for name, route := range routes {
		for _, r := range limits {
			for _, n := range []int{1, 2, 3} {
				for _, trip := range []time.Duration{200 * time.Microsecond, 10 * time.Millisecond} {
					t.Run(fmt.Sprintf("%s/%v+%d/%d/%v", name, r.Rate, r.Burst, n, trip), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) {
							replicas, stop := fleet(t, n, newMemory(trip), classOf(r.Rate, r.Burst))
							defer stop()
							long := 4 * time.Second
							if r.Rate < 50 {
								long = 40 * time.Second
							}
							got := flood(replicas, client(1), 20*r.Rate, long, route(n))
							within(t, got, r.Rate, r.Burst, long, 0.02)
						})
					})
				}
			}
		}
	}
}

func TestAFloodThatReachesASecondReplicaLateIsChargedForItsCredit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		replicas, stop := fleet(t, 2, newMemory(time.Millisecond), classOf(50, 20))
		defer stop()
		got := flood(replicas, client(1), 1000, 2*time.Second, func(int) int { return 0 })
		got += flood(replicas, client(1), 1000, 2*time.Second, func(int) int { return 1 })
		within(t, got, 50, 20, 4*time.Second, 0.02)
	})
}

func TestAtNoTimeMoreIsAllowedThanPromisedPlusOneBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		replicas, stop := fleet(t, 2, newMemory(time.Millisecond), classOf(50, 20))
		defer stop()
		allowed, begun := 0, time.Now()
		for i := range 4000 {
			if replicas[i/700%2].Decide(client(1), "/dog").Allowed {
				allowed++
			}
			if bound := 20 + 50*time.Since(begun).Seconds() + 20/2 + 1; float64(allowed) > bound {
				t.Fatalf("%d allowed after %v, more than %.0f", allowed, time.Since(begun), bound)
			}
			time.Sleep(time.Millisecond)
		}
	})
}

func TestReplicasThatKnowTheBucketDoNotAllowItTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory(time.Millisecond)
		replicas, stop := fleet(t, 4, store, classOf(0.5, 40))
		defer stop()
		for _, each := range []int{6, 1} { // so that all have seen how little the bucket holds
			for i := range 4 * each {
				replicas[i%4].Decide(client(1), "/dog")
			}
			time.Sleep(2 * settleAfter)
		}
		level := store.level()
		allowed := 0
		for range 20 { // all within 40 ms
			for i := range 40 {
				if replicas[i%4].Decide(client(1), "/dog").Allowed {
					allowed++
				}
			}
			if float64(allowed) > level+40/4 { // leases that cross shares: owed, and paid back
				t.Fatalf("%d allowed of the %.1f that the bucket held", allowed, level)
			}
			time.Sleep(2 * time.Millisecond)
		}
		if float64(allowed) < level-2 {
			t.Errorf("%d allowed of the %.1f that the bucket held", allowed, level)
		}
	})
}

func TestAClientBelowItsLimitIsNeverRefused(t *testing.T) {
	cases := map[string]struct {
		rate    float64
		burst   int
		request float64 // per second
		n       int
		refused int // at most
	}{
		"one replica":             {50, 20, 48, 1, 0},
		"two replicas":            {50, 20, 45, 2, 0},
		"three replicas":          {50, 60, 45, 3, 0},
		"slow":                    {1, 5, 0.8, 2, 0},
		"one a second, burst 1":   {1, 1, 0.9, 1, 0},
		"a token a replica":       {1, 2, 0.9, 2, 1},
		"hundreds":                {500, 200, 450, 2, 0},
		"slow, one of two unused": {1, 1, 0.9, -2, 0},
		"one of two is not used":  {50, 20, 40, -2, 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := max(c.n, -c.n)
				replicas, stop := fleet(t, n, newMemory(time.Millisecond), classOf(c.rate, c.burst))
				defer stop()
				time.Sleep(10 * time.Millisecond)
				long := max(10*time.Second, time.Duration(100/c.request)*time.Second)
				// A divisor that is not 1 makes the replicas' turns uneven.
				got := flood(replicas, client(1), c.request, long, func(i int) int { return i * 7 / 5 % max(1, c.n) })
				if want := int(long / time.Duration(float64(time.Second)/c.request)); got < want-c.refused {
					t.Errorf("%d of %d requests allowed", got, want)
				}
			})
		})
	}
}

func TestLimitsCountEachIdentityAndClassForItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := Limits{
			{Name: "all", Prefix: "/", Anonymous: &Rate{1, 2}, Login: &Rate{2, 4}},
			{Name: "api", Prefix: "/v1", Anonymous: &Rate{1, 3}},
		}
		replicas, stop := fleet(t, 1, newMemory(0), limits)
		defer stop()
		count := func(who Identity, path string) int {
			n := 0
			for range 10 {
				if d := replicas[0].Decide(who, path); d.Allowed {
					n++
				}
			}
			return n
		}
		for _, c := range []struct {
			who  Identity
			path string
			want int
		}{
			{client(1), "/dog", 2}, {client(2), "/dog", 2}, {client(1), "/v1/words/dog", 3}, {client(1), "/v1x", 0},
			{OfLogin("alice"), "/dog", 4}, {OfLogin("bob"), "/dog", 4}, {OfLogin("alice"), "/v1/random", 10},
		} {
			if got := count(c.who, c.path); got != c.want {
				t.Errorf("%v %s: %d allowed, want %d", c.who, c.path, got, c.want)
			}
		}
	})
}

func TestRefusalsMakeNoTripsToTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory(time.Millisecond)
		replicas, stop := fleet(t, 1, store, classOf(50, 20))
		defer stop()
		flood(replicas, client(1), 20000, 4*time.Second, func(int) int { return 0 })
		if visits, _ := store.counts(); visits > 4*45 {
			t.Errorf("%d visits for 80000 requests, want at most one per interval of %v", visits, interval)
		}
	})
}

func TestOrdinaryTrafficMakesFewTripsToTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory(time.Millisecond)
		replicas, stop := fleet(t, 2, store, classOf(50, 100))
		defer stop()
		for i := range 20000 { // a hundred clients, 20/s each, for ten seconds
			if !replicas[i%2].Decide(client(i/2%100), "/dog").Allowed {
				t.Fatal("a client below his limit was refused")
			}
			time.Sleep(500 * time.Microsecond)
		}
		visits, buckets := store.counts()
		t.Logf("20000 requests: %d calls for %d buckets", visits, buckets)
		if buckets > 20000/5 {
			t.Errorf("%d buckets visited for 20000 requests", buckets)
		}
	})
}

func TestLeasesAreHandedBack(t *testing.T) {
	// With so low a rate, what is not handed back is seen to be missing.
	limits := classOf(0.1, 100)
	t.Run("after a while", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			store := newMemory(time.Millisecond)
			replicas, stop := fleet(t, 4, store, limits)
			defer stop()
			time.Sleep(10 * time.Millisecond)
			used := flood(replicas, client(1), 100, 240*time.Millisecond, func(int) int { return 0 })
			time.Sleep(6 * time.Second)
			if got, want := store.level(), 100-float64(used); math.Abs(got-want) > 1 {
				t.Errorf("level %.1f after %d were used, want %.0f", got, used, want)
			}
		})
	})
	t.Run("at the end", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			store := newMemory(time.Millisecond)
			replicas, stop := fleet(t, 4, store, limits)
			time.Sleep(10 * time.Millisecond)
			used := flood(replicas, client(1), 100, 240*time.Millisecond, func(int) int { return 0 })
			stop()
			if got, want := store.level(), 100-float64(used); math.Abs(got-want) > 0.2 {
				t.Errorf("level %.1f after %d were used, want %.0f", got, used, want)
			}
			if len(store.beats) != 0 {
				t.Errorf("replicas %v are still counted", store.beats)
			}
		})
	})
}

func TestPastTheBoundNewcomersShareOneBucket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, err := New(Options{Limits: classOf(1, 2), Tracked: shards})
		if err != nil {
			t.Fatal(err)
		}
		allowed := 0
		for i := range 5000 {
			if l.Decide(client(i), "/dog").Allowed {
				allowed++
			}
		}
		if n := l.tracked(); n > shards+1 {
			t.Errorf("%d identities tracked, more than %d and one bucket for the others", n, shards)
		}
		// Each tracked identity came about once; the others have ten bursts together.
		if allowed < shards+overflowShare*2-1 || allowed > 2*shards+overflowShare*2 {
			t.Errorf("%d allowed", allowed)
		}
		time.Sleep(forgetAfter)
		if d := l.Decide(client(9999), "/dog"); !d.Allowed || d.Kind != Anonymous {
			t.Errorf("newcomer after a silence: %+v, want room for him", d)
		}
	})
}

func TestANewPolicyHoldsAtOnceAndABrokenOneNotAtAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, err := New(Options{Limits: classOf(1, 5)})
		if err != nil {
			t.Fatal(err)
		}
		one := []*Limiter{l}
		flood(one, client(1), 1000, 100*time.Millisecond, func(int) int { return 0 })
		if err := l.Update(Limits{{Name: "", Prefix: "x", Anonymous: &Rate{-1, 0}}}); err == nil {
			t.Error("a broken policy was accepted")
		}
		if err := l.Update(classOf(100, 50)); err != nil {
			t.Fatal(err)
		}
		if got := flood(one, client(1), 1000, time.Second, func(int) int { return 0 }); got < 98 || got > 101 {
			t.Errorf("%d allowed in a second at 100/s after the change, from an empty bucket", got)
		}
	})
}

func BenchmarkDecide(b *testing.B) {
	l, err := New(Options{Limits: classOf(2e5, 2e6), Store: newMemory(time.Millisecond), Instance: "a"})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan struct{})
	go func() { _ = l.Run(ctx); close(done) }()
	defer func() { cancel(); <-done }()
	b.Run("one client", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			l.Decide(client(1), "/dog")
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				l.Decide(client(i&1023), "/dog")
			}
		})
	})
	b.Run("refused", func(b *testing.B) {
		tight, err := New(Options{Limits: classOf(1, 1)})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			tight.Decide(client(1), "/dog")
		}
	})
}

func BenchmarkFields(b *testing.B) {
	l, err := New(Options{Limits: classOf(1, 1)})
	if err != nil {
		b.Fatal(err)
	}
	d := l.Decide(client(1), "/dog")
	buf, sum := make([]byte, 0, 64), 0
	b.ReportAllocs()
	for b.Loop() {
		buf = d.Fields(buf, func(_ string, value []byte) { sum += len(value) })
	}
}

func BenchmarkShedder(b *testing.B) {
	s, err := NewShedder(ShedOptions{InFlight: 10})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if s.Acquire(b.Context()) == nil {
			s.Release()
		}
	}
}

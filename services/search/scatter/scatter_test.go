package scatter

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/internal/upstream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shardOf has replicas that are never checked, and retries without end.
func shardOf(t testing.TB, replicas ...string) Shard {
	t.Helper()
	address, err := upstream.Parse(strings.Join(replicas, ","))
	if err != nil {
		t.Fatal(err)
	}
	pool, err := upstream.New(upstream.Options{Name: "shard", Address: address, Health: upstream.Health{EjectAfter: 3, EjectBase: time.Minute, EjectMax: time.Hour, EjectShare: 0.5}})
	if err != nil {
		t.Fatal(err)
	}
	return Shard{Pool: pool, Retries: plenty()}
}

func plenty() *retry.Budget {
	return retry.NewBudget(retry.BudgetConfig{MinPerSecond: 1e5, Burst: 1e5})
}

// fleet answers as each replica is told to; in a bubble, where time is the test's.
type fleet struct {
	mu        sync.Mutex
	takes     map[string]time.Duration
	fails     map[string]error
	calls     []string
	cancelled []string
}

func (f *fleet) call(ctx context.Context, shard int, replica *upstream.Endpoint) (string, error) {
	f.mu.Lock()
	takes, err := f.takes[replica.Addr()], f.fails[replica.Addr()]
	f.calls = append(f.calls, replica.Addr())
	f.mu.Unlock()
	timer := time.NewTimer(takes)
	defer timer.Stop()
	select {
	case <-timer.C:
		return fmt.Sprint(replica.Addr(), " has shard ", shard), err
	case <-ctx.Done():
		f.mu.Lock()
		defer f.mu.Unlock()
		f.cancelled = append(f.cancelled, replica.Addr())
		return "", ctx.Err()
	}
}

// one sends one request to one shard until the slow replica was the first to be asked.
func (f *fleet) until(t testing.TB, kind *Kind, shard Shard, first string) Answer[string] {
	t.Helper()
	for range 1000 {
		f.calls, f.cancelled = nil, nil
		a := Gather(t.Context(), kind, []Shard{shard}, f.call)[0]
		if f.calls[0] == first {
			kind.owner.Wait()
			return a
		}
	}
	t.Fatalf("%s is never asked first", first)
	return Answer[string]{}
}

func TestAllShardsAreAskedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fleet{takes: map[string]time.Duration{"a:1": time.Second, "b:1": 3 * time.Second, "c:1": 2 * time.Second}}
		began := time.Now()
		g := Gather(t.Context(), New(Options{}).Kind("k"), []Shard{shardOf(t, "a:1"), shardOf(t, "b:1"), shardOf(t, "c:1")}, f.call)
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("took %v: want the slowest, 3s", took)
		}
		for i, want := range []string{"a:1 has shard 0", "b:1 has shard 1", "c:1 has shard 2"} {
			if g[i].Value != want || g[i].Missing != "" {
				t.Errorf("%d: %+v, want %s", i, g[i], want)
			}
		}
	})
}

// Calls that want the same replicas go to different ones, even when the first has its answer before the last is made.
func TestCallsOfOneShardGoToDifferentReplicas(t *testing.T) {
	address, err := upstream.Parse("a:1,b:1,c:1")
	if err != nil {
		t.Fatal(err)
	}
	pool, err := upstream.New(upstream.Options{Name: "shard", Address: address, Policy: upstream.Fastest})
	if err != nil {
		t.Fatal(err)
	}
	one := Shard{Pool: pool, Retries: plenty()}
	s := New(Options{})
	kind := s.Kind("k")
	for range 500 {
		g := Gather(t.Context(), kind, []Shard{one, one, one}, func(context.Context, int, *upstream.Endpoint) (bool, error) { return true, nil })
		if g[0].Replica == g[1].Replica || g[1].Replica == g[2].Replica || g[2].Replica == g[0].Replica {
			t.Fatalf("asked %s, %s and %s", g[0].Replica, g[1].Replica, g[2].Replica)
		}
	}
	s.Wait()
}

func TestWhatIsUnansweredAtTheDeadlineIsMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fleet{takes: map[string]time.Duration{"b:1": time.Hour}}
		s := New(Options{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		g := Gather(ctx, s.Kind("k"), []Shard{shardOf(t, "a:1"), shardOf(t, "b:1")}, f.call)
		if g[0].Missing != "" || g[1].Missing != TimedOut {
			t.Errorf("%+v", g)
		}
		s.Wait() // the call that was cut off ends
	})
}

func TestAReplicaThatFailsIsReplacedAtOnceByAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fleet{fails: map[string]error{"a:1": errors.New("broken pipe")}}
		s := New(Options{Attempts: 2})
		a := f.until(t, s.Kind("k"), shardOf(t, "a:1", "b:1"), "a:1")
		if a.Missing != "" || a.Replica != "b:1" || a.Hedged {
			t.Errorf("%+v", a)
		}
		if n := testutil.ToFloat64(s.metrics.replaced.WithLabelValues("k")); n != 1 {
			t.Errorf("%v replacements", n)
		}
	})
}

// While one of two replicas is ejected the other one dies, and cannot be ejected, too.
func TestAnEjectedReplicaIsBetterThanNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := &Failure{Reason: Unreachable, Outcome: upstream.ConnectError, Err: errors.New("refused")}
		f := &fleet{fails: map[string]error{"a:1": gone}}
		shard, kind := shardOf(t, "a:1", "b:1"), New(Options{Attempts: 3}).Kind("k")
		for usable := 2; usable > 1; usable, _ = shard.Pool.Usable() {
			Gather(t.Context(), kind, []Shard{shard}, f.call)
		}
		f.fails = map[string]error{"b:1": gone}
		for range 10 {
			if a := Gather(t.Context(), kind, []Shard{shard}, f.call)[0]; a.Missing != "" || a.Replica != "a:1" {
				t.Fatalf("%+v", a)
			}
		}
	})
}

func TestTheReasonIsThatOfTheLastReplica(t *testing.T) {
	broken, refused := errors.New("broken pipe"), &Failure{Reason: Refused, Final: true, Err: errors.New("400")}
	for _, c := range []struct {
		name   string
		err    error
		budget *retry.Budget
		reason Reason
		calls  int
	}{
		{"all fail", broken, plenty(), Unreachable, 3},
		{"all would say the same", refused, plenty(), Refused, 1},
		{"no budget", broken, nil, Unreachable, 1},
		{"no budget, and none is needed: nobody was reached", &Failure{Reason: Unreachable, Outcome: upstream.ConnectError, Err: errors.New("refused")}, nil, Unreachable, 3},
		{"busy", &Failure{Reason: Overloaded, Outcome: upstream.Canceled, Err: errors.New("503")}, plenty(), Overloaded, 3},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := &fleet{fails: map[string]error{"a:1": c.err, "b:1": c.err, "c:1": c.err, "d:1": c.err}}
			shard := shardOf(t, "a:1", "b:1", "c:1", "d:1")
			shard.Retries = c.budget
			g := Gather(t.Context(), New(Options{Attempts: 3}).Kind("k"), []Shard{shard}, f.call)
			if g[0].Missing != c.reason || !errors.Is(g[0].Err, errors.Unwrap(c.err)) && g[0].Err != c.err || len(f.calls) != c.calls {
				t.Errorf("%s: %+v after %v", c.name, g[0], f.calls)
			}
			seen := map[string]bool{}
			for _, replica := range f.calls {
				if seen[replica] {
					t.Errorf("%s: %s was asked twice", c.name, replica)
				}
				seen[replica] = true
			}
		})
	}
}

func TestAShardWithoutReplicasIsMissingAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nowhere, err := upstream.New(upstream.Options{Name: "shard", Address: address(t, "file:/nowhere")})
		if err != nil {
			t.Fatal(err)
		}
		g := Gather(t.Context(), New(Options{}).Kind("k"), []Shard{{Pool: nowhere}}, (&fleet{}).call)
		if g[0].Missing != NoReplica || g[0].Err == nil {
			t.Errorf("%+v", g[0])
		}
	})
}

func address(t testing.TB, text string) upstream.Address {
	t.Helper()
	a, err := upstream.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// The first call goes to the slow replica; after First the other one is asked too, answers in 1 ms, and the slow one is told.
func TestASlowReplicaIsHedgedAndTheLoserIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fleet{takes: map[string]time.Duration{"a:1": time.Hour, "b:1": time.Millisecond}}
		s := New(Options{Quantile: 0.98, First: 50 * time.Millisecond, Least: 1 << 30, Hedges: plenty(), Attempts: 2})
		k := s.Kind("k")
		var took time.Duration
		for took <= time.Millisecond {
			f.calls, f.cancelled = nil, nil
			began := time.Now()
			g := Gather(t.Context(), k, []Shard{shardOf(t, "a:1", "b:1")}, f.call)
			if took = time.Since(began); g[0].Replica != "b:1" || g[0].Missing != "" {
				t.Fatalf("%+v", g[0])
			}
			s.Wait()
			if took > time.Millisecond && (took != 51*time.Millisecond || !g[0].Hedged || g.Hedged() != 1 || len(f.cancelled) != 1 || f.cancelled[0] != "a:1") {
				t.Errorf("took %v, cancelled %v: %+v", took, f.cancelled, g[0])
			}
		}
		for _, result := range []string{hedgeSent, hedgeWon} {
			if n := testutil.ToFloat64(s.metrics.hedges.WithLabelValues("k", result)); n != 1 {
				t.Errorf("%v hedges %s", n, result)
			}
		}
	})
}

func TestWithoutBudgetNothingIsHedged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fleet{takes: map[string]time.Duration{"a:1": time.Second, "b:1": time.Second}}
		s := New(Options{Quantile: 0.98, Attempts: 2})
		g := Gather(t.Context(), s.Kind("k"), []Shard{shardOf(t, "a:1", "b:1")}, f.call)
		if g[0].Hedged || g[0].Missing != "" || len(f.calls) != 1 {
			t.Errorf("%+v %v", g[0], f.calls)
		}
		if n := testutil.ToFloat64(s.metrics.hedges.WithLabelValues("k", hedgeRefused)); n != 1 {
			t.Errorf("refused %v", n)
		}
	})
}

// A share of 5 % of 2000 calls, all of which want to be hedged, is 100.
func TestTheBudgetBoundsHedgesToAShareOfTheCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fleet{takes: map[string]time.Duration{"a:1": time.Second, "b:1": time.Second}}
		budget := retry.NewBudget(retry.BudgetConfig{Share: 0.05, Burst: 100})
		s := New(Options{Quantile: 0.98, Attempts: 2, Hedges: budget, Least: 1 << 30})
		shard := shardOf(t, "a:1", "b:1")
		for range 2000 {
			Gather(t.Context(), s.Kind("k"), []Shard{shard}, f.call)
		}
		s.Wait()
		if sent := len(f.calls) - 2000; sent != 100 {
			t.Errorf("%d hedges for 2000 calls", sent)
		}
	})
}

// A single replica has nobody to be hedged by; that is not what the budget refuses.
func TestAShardOfOneReplicaIsNotHedged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fleet{takes: map[string]time.Duration{"a:1": time.Second}}
		s := New(Options{Quantile: 0.98, Attempts: 2, Hedges: plenty()})
		g := Gather(t.Context(), s.Kind("k"), []Shard{shardOf(t, "a:1")}, f.call)
		if g[0].Hedged || g[0].Missing != "" || testutil.ToFloat64(s.metrics.hedges.WithLabelValues("k", hedgeRefused)) != 0 {
			t.Errorf("%+v", g[0])
		}
	})
}

// Three calls that are overtaken one after the other eject the replica that hangs: later ones find the other at once.
func TestAReplicaThatHangsIsLeftAloneAfterAFewHedges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fleet{takes: map[string]time.Duration{"a:1": time.Hour, "b:1": time.Millisecond}}
		s := New(Options{Quantile: 0.98, First: 50 * time.Millisecond, Hedges: plenty(), Attempts: 2})
		k, shard := s.Kind("k"), shardOf(t, "a:1", "b:1")
		for range 200 {
			Gather(t.Context(), k, []Shard{shard}, f.call)
			s.Wait()
		}
		asked := 0
		for _, replica := range f.calls {
			if replica == "a:1" {
				asked++
			}
		}
		if asked != 3 {
			t.Errorf("the replica that hangs was asked %d times, want 3", asked)
		}
		if usable, overridden := shard.Pool.Usable(); usable != 1 || overridden {
			t.Errorf("%d usable, %v", usable, overridden)
		}
	})
}

func TestACallerWhoLeavesBlamesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fleet{takes: map[string]time.Duration{"a:1": time.Hour}}
		s := New(Options{})
		shard := shardOf(t, "a:1")
		for range 10 {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Minute, cancel)
			if g := Gather(ctx, s.Kind("k"), []Shard{shard}, f.call); g[0].Missing != Cancelled {
				t.Fatalf("%+v", g[0])
			}
			s.Wait()
		}
		if e := shard.Pool.Snapshot().Endpoints[0]; e.Ejections != 0 || e.Outcomes["canceled"] != 10 {
			t.Errorf("%+v", e)
		}
	})
}

func TestMissingShardsAreCountedByReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := prometheus.NewPedanticRegistry()
		s := New(Options{Metrics: registry})
		f := &fleet{fails: map[string]error{"b:1": &Failure{Reason: Failed, Outcome: upstream.ServerError, Err: errors.New("500")}}}
		Gather(t.Context(), s.Kind("k"), []Shard{shardOf(t, "a:1"), shardOf(t, "b:1")}, f.call)
		err := testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP scatter_calls_total Calls to replicas by how they ended, hedges included.
# TYPE scatter_calls_total counter
scatter_calls_total{kind="k",outcome="ok"} 1
scatter_calls_total{kind="k",outcome="server_error"} 1
`), "scatter_calls_total")
		if err != nil {
			t.Error(err)
		}
		if n := testutil.ToFloat64(s.metrics.missing.WithLabelValues("k", string(Failed))); n != 1 {
			t.Errorf("missing %v", n)
		}
	})
}

// All calls go through Gather at the same time as others: the race detector looks.
func TestManyGatherAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fleet{takes: map[string]time.Duration{"a:1": 3 * time.Millisecond, "b:1": time.Millisecond, "c:1": time.Millisecond, "d:1": 2 * time.Millisecond}}
		s := New(Options{Quantile: 0.5, Least: 10, Hedges: plenty(), Attempts: 3})
		k, shards := s.Kind("k"), []Shard{shardOf(t, "a:1", "b:1"), shardOf(t, "c:1", "d:1")}
		var missing atomic.Int64
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				for range 50 {
					for _, a := range Gather(t.Context(), k, shards, f.call) {
						if a.Missing != "" {
							missing.Add(1)
						}
					}
				}
			})
		}
		all.Wait()
		s.Wait()
		if missing.Load() != 0 {
			t.Errorf("%d missing", missing.Load())
		}
		for _, shard := range shards {
			for _, e := range shard.Pool.Snapshot().Endpoints {
				if e.InFlight != 0 {
					t.Errorf("%s: %d in flight after all", e.Name, e.InFlight)
				}
			}
		}
	})
}

package scattersim_test

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/scattersim"
)

const ms = time.Millisecond

// near tells whether a share of n tries is within four standard deviations of what it must be.
func near(got, want float64, n int) bool {
	return math.Abs(got-want) <= 4*math.Sqrt(want*(1-want)/float64(n))+1e-9
}

func within(got, want time.Duration, share float64) bool {
	return math.Abs(float64(got-want)) <= share*float64(want)
}

func TestTheShareOfSlowRequestsIsThatOfTheBook(t *testing.T) {
	for n, want := range map[int]float64{1: 0.01, 5: 0.049, 20: 0.1821, 100: 0.634, 1000: 0.99996} {
		c := scattersim.Config{Leaves: n, Requests: 100_000 / n, Wait: 20 * ms, Slow: 0.01, SlowBy: time.Second, Seed: 1}
		if exact := 1 - math.Pow(0.99, float64(n)); math.Abs(exact-want) > 0.0001 {
			t.Fatalf("1 − 0.99^%d is %v", n, exact)
		}
		r := c.Run()
		if !near(r.Slow, want, c.Requests) || r.Yield() != 1 || r.Harvest != 1 || r.Calls != c.Requests*n || r.Hedges+r.Retries != 0 {
			t.Errorf("%d leaves: %+v", n, r)
		}
		// Who waits for no slow call waits for the base, and who does for one.
		if r.Quantile(0) != 20*ms && n < 1000 || r.Quantile(1) != 1020*ms {
			t.Errorf("%d leaves: from %v to %v", n, r.Quantile(0), r.Quantile(1))
		}
	}
}

func TestTheYieldIsThatOfTheBook(t *testing.T) {
	for _, c := range []struct {
		leaves, replicas int
		want             float64
	}{{1, 1, 0.99}, {100, 1, 0.366}, {100, 2, 0.99005}, {100, 3, 0.9999}} {
		config := scattersim.Config{Leaves: c.leaves, Replicas: c.replicas, Requests: 1000, Wait: ms, Failure: 0.01, Seed: 2}
		if exact := math.Pow(1-math.Pow(0.01, float64(c.replicas)), float64(c.leaves)); math.Abs(exact-c.want) > 0.0001 {
			t.Fatalf("%v", exact)
		}
		r := config.Run()
		if !near(r.Yield(), c.want, 1000) {
			t.Errorf("%+v: yield %v", c, r.Yield())
		}
		if lost := math.Pow(0.01, float64(c.replicas)); !near(r.Harvest, 1-lost, 1000*c.leaves) {
			t.Errorf("%+v: harvest %v", c, r.Harvest)
		}
		if want := 0.01 + 0.0001; c.replicas == 3 && !near(float64(r.Retries)/float64(r.Calls), want, r.Calls) {
			t.Errorf("%+v: %d retries of %d calls", c, r.Retries, r.Calls)
		}
	}
}

// The mean of the longest of n exponentially distributed times is the mean times the nth harmonic number.
func TestTheLongestOfManyExponentialTimesIsTheHarmonicNumber(t *testing.T) {
	harmonic := 0.0
	for n := 1; n <= 100; n++ {
		harmonic += 1 / float64(n)
		if n != 1 && n != 10 && n != 100 {
			continue
		}
		r := scattersim.Config{Leaves: n, Requests: 5_000, Jitter: 10 * ms, Seed: 3}.Run()
		if want := time.Duration(harmonic * float64(10*ms)); !within(r.Mean(), want, 0.03) {
			t.Errorf("%d leaves: mean %v, want %v", n, r.Mean(), want)
		}
		// All n are below q with probability (1 − e^(−q/mean))^n.
		if want := time.Duration(-math.Log(1-math.Pow(0.99, 1/float64(n))) * float64(10*ms)); !within(r.Quantile(0.99), want, 0.1) {
			t.Errorf("%d leaves: p99 %v, want %v", n, r.Quantile(0.99), want)
		}
	}
}

// A queue with irregular arrivals and equal work, M/D/1: the mean wait is ρ ÷ 2(1 − ρ) works.
func TestRequestsWaitForEachOtherAsInAQueue(t *testing.T) {
	for _, load := range []float64{0.3, 0.7, 0.9} {
		r := scattersim.Config{Leaves: 1, Requests: 100_000, Rate: load * 1000, Overhead: ms, Seed: 4}.Run()
		want := ms + time.Duration(load/(2*(1-load))*float64(ms))
		if !within(r.Mean(), want, 0.1) {
			t.Errorf("load %v: mean %v, want %v", load, r.Mean(), want)
		}
	}
}

// With work W ÷ n on each leaf and a cost g for each at the root, W/n + g·n is least for n = √(W/g).
func TestTheBestNumberOfLeavesIsTheSquareRootOfWorkOverCost(t *testing.T) {
	leaves := []int{1, 5, 10, 20, 30, 40, 60, 100, 1000}
	c := scattersim.Config{Work: 90 * ms, Gather: 100 * time.Microsecond, Overhead: ms, Seed: 5}
	rows := c.Sweep(leaves, 10_000, 10)
	if n, _ := scattersim.Best(rows, 0.5); n != 30 && n != 40 {
		// The last leaf begins when all calls are sent, and of the answers' costs only the last is waited for: half of the cost counts,
		// and n = √(2 · 90/0.1) = 42.
		t.Errorf("best with %d leaves: %+v", n, rows)
	}
	// Stragglers make many leaves worse for the slowest requests.
	c.Slow, c.SlowBy = 0.0005, time.Second
	if n, _ := scattersim.Best(c.Sweep([]int{1, 10, 100}, 20_000, 2_000), 0.99); n != 10 {
		t.Errorf("p99 is best with %d leaves, in spite of stragglers", n)
	}
}

func TestWhatIsSharedIsWaitedFor(t *testing.T) {
	c := scattersim.Config{Leaves: 8, Requests: 10, Work: 80 * ms}
	if got := c.Run().Quantile(0.5); got != 10*ms {
		t.Errorf("a core each: %v", got)
	}
	c.Cores = 2
	if got := c.Run().Quantile(0.5); got != 40*ms {
		t.Errorf("two cores: %v", got)
	}
	c.Overhead = ms
	if got := c.Run().Quantile(0.5); got != 44*ms {
		t.Errorf("two cores, and an overhead: %v", got)
	}
	c.Cores, c.Request, c.Gather = 1, 5*ms, 2*ms
	if got := c.Run().Quantile(0.5); got != (5+8+80+8*1+8)*ms {
		t.Errorf("one core, on which the root computes too: %v", got)
	}
	c.Cores, c.Leaves = 2, 1
	if got := c.Run().Quantile(0.5); got != (5+1+81+1)*ms {
		t.Errorf("what follows each other is not done at once: %v", got)
	}
}

// A call that is hedged as soon as it is later than nearly all others takes as long again: twice the median, where few requests have such a
// call. Where most have one, the median is of hedged requests, and what is left are those whose second replica was slow as well.
func TestHedgingBringsTheSlowestRequestsBackWithinItsBudget(t *testing.T) {
	for n, median := range map[int]time.Duration{5: 20 * ms, 20: 20 * ms, 100: 40 * ms} {
		c := scattersim.Config{Leaves: n, Replicas: 2, Requests: 200_000 / n, Wait: 20 * ms, Slow: 0.01, SlowBy: 200 * ms, Hedge: 0.95, Budget: 0.05, Seed: 6}
		without := c
		without.Hedge = 0
		r, w := c.Run(), without.Run()
		if r.Quantile(0.5) != median || r.Quantile(0.98) != 40*ms || w.Quantile(0.99) != 220*ms {
			t.Errorf("%d leaves: p50 %v, p98 %v; without hedging p99 %v", n, r.Quantile(0.5), r.Quantile(0.98), w.Quantile(0.99))
		}
		if want := 1 - math.Pow(1-0.0001, float64(n)); !near(r.Slow, want, c.Requests) {
			t.Errorf("%d leaves: %v still wait for a slow call, want %v", n, r.Slow, want)
		}
		if !near(r.Extra(), 0.01, r.Calls) {
			t.Errorf("%d leaves: %v extra", n, r.Extra())
		}
	}
	// All are slow: the budget holds.
	c := scattersim.Config{Leaves: 5, Replicas: 2, Requests: 10_000, Wait: ms, Jitter: 20 * ms, Hedge: 0.5, Budget: 0.02, Seed: 7}
	if r := c.Run(); r.Extra() > 0.02+10.0/float64(r.Calls) || r.Extra() < 0.019 {
		t.Errorf("%v extra with a budget of 0.02", r.Extra())
	}
}

// What answers just when it would be late is not hedged.
func TestEqualAnswersAreNotLate(t *testing.T) {
	r := scattersim.Config{Leaves: 5, Replicas: 2, Requests: 1000, Wait: 20 * ms, Hedge: 0.98, Budget: 1}.Run()
	if r.Hedges != 0 {
		t.Errorf("%d hedges", r.Hedges)
	}
}

func TestASeedDecidesEverything(t *testing.T) {
	c := scattersim.Config{Leaves: 7, Replicas: 2, Requests: 500, Rate: 100, Overhead: ms, Work: 10 * ms, Jitter: ms, Slow: 0.05, SlowBy: 50 * ms, Failure: 0.02, Hedge: 0.9, Budget: 0.1, Seed: 8}
	one, two := c.Run(), c.Run()
	if !reflect.DeepEqual(one, two) {
		t.Errorf("%+v, %+v", one, two)
	}
	if c.Seed++; reflect.DeepEqual(one, c.Run()) {
		t.Error("another seed changes nothing")
	}
}

func TestEveryWrongValueIsNamed(t *testing.T) {
	err := scattersim.Config{Leaves: 1001, Replicas: -1, Requests: 0, Cores: -1, Rate: math.NaN(), Slow: 2, Failure: -1, Hedge: 1.1, Budget: math.Inf(1), Work: -ms, Jitter: 2 * time.Hour}.Check()
	if err == nil {
		t.Fatal("nothing is wrong")
	}
	for _, want := range []string{"leaves: 1001, want 1 to 1000", "replicas: -1", "requests: 0", "cores: -1", "rate: NaN", "slow: 2", "failure: -1", "hedge: 1.1", "budget: +Inf", "work: -1ms", "jitter: 2h"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in %v", want, err)
		}
	}
	if err := (scattersim.Config{Leaves: 1000, Requests: 50_000}).Check(); err != nil {
		t.Error(err)
	}
}

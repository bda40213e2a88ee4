package experiments

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/chart"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
	"github.com/flotilla-dev/flotilla/loadtest/scattersim"
)

const (
	standinBase   = 20 * time.Millisecond
	standinSlow   = 0.01
	standinSlowBy = 200 * time.Millisecond
	hedgeBudget   = 0.05
	// hedgeQuantile leaves room for what this machine makes late by itself, beside the 1 % that is made slow: were both together more than the
	// quantile leaves out, it would be measured to be one of the slow calls.
	hedgeQuantile = 0.96
)

// standinRuns are the numbers of leaves, and the rate at which each is asked: what two processors can do is bounded by calls, not by requests.
var standinRuns = []struct {
	leaves int
	rate   float64
}{{1, 100}, {5, 30}, {20, 20}, {100, 5}}

func stragglers(ctx context.Context, r *proof.Report) error {
	g := rig.New(r)
	defer g.Close()
	if err := g.Build(ctx, "search"); err != nil {
		return err
	}
	t := proof.Table{
		Title:   fmt.Sprintf("%v for each leaf, 1 %% of the searches of a leaf %v slower; hedged after the quantile %v, at most 5 %% of the calls", standinBase, standinSlowBy, hedgeQuantile),
		Columns: []string{"leaves", "requests", "slow requests", "1 − 0.99ⁿ", "p50", "p99", "hedged: requests", "slow", "p50", "p99", "p99 ÷ p50", "extra calls", "simulated: p50", "p99"},
	}
	bars := chart.Bars{Title: "Share of requests that wait for a slow leaf", Note: "mark: 1 − 0.99ⁿ", Unit: "%"}
	for _, run := range standinRuns {
		span := r.Span(60*time.Second, 2*time.Second)
		if run.leaves == 5 {
			span *= 4 // these are judged, and few are slow
		}
		without, err := straggle(ctx, g, run.leaves, 1, run.rate, span)
		if err != nil {
			return err
		}
		with, err := straggle(ctx, g, run.leaves, 2, run.rate, span)
		if err != nil {
			return err
		}
		claimStragglers(r, run.leaves, without, with)
		sim := simulatedStragglers(run.leaves)
		bars.Rows = append(bars.Rows,
			chart.Row{Label: fmt.Sprintf("%d leaves", run.leaves), Value: 100 * without.slow, Target: 100 * slowShare(run.leaves)},
			chart.Row{Label: fmt.Sprintf("%d leaves, hedged", run.leaves), Value: 100 * with.slow, Series: 1})
		t.Rows = append(t.Rows, []string{fmt.Sprint(run.leaves), fmt.Sprint(without.requests), percent(without.slow), percent(slowShare(run.leaves)), millis(without.p50), millis(without.p99),
			fmt.Sprint(with.requests), percent(with.slow), millis(with.p50), millis(with.p99), fmt.Sprintf("%.2f", ratio(with.p99, with.p50)), percent(with.extra),
			millis(sim.Quantile(0.5)), millis(sim.Quantile(0.99))})
	}
	r.Table(t)
	r.Note("The root is the program; leaves are servers of this experiment that speak as leaves do, wait, and answer with one document. Statistics, the first of the two phases, are answered at once, so that a leaf is slow in one per cent of the requests. Whether it is slow is decided by its name and the query: its twin is slow independently. A request is slow when it took longer than %v. Extra calls are counted by the leaves, of both phases.", slowAfter())
	return r.Chart("stragglers", bars)
}

// slowAfter is how long a request takes at least that waited for a slow leaf, and none that did not.
func slowAfter() time.Duration { return standinBase + standinSlowBy }

func slowShare(leaves int) float64 { return 1 - math.Pow(1-standinSlow, float64(leaves)) }

func millis(d time.Duration) string { return fmt.Sprintf("%.1f ms", milliseconds(d)) }

// straggled is what a load found.
type straggled struct {
	requests int
	failed   uint64
	slow     float64
	p50, p99 time.Duration
	extra    float64 // calls that leaves got on top of two for each request and leaf, one for each phase
	exact    float64 // share of the slow searches among those that leaves were asked for
}

func straggle(ctx context.Context, g *rig.Rig, leaves, replicas int, rate float64, span time.Duration) (straggled, error) {
	s := &standins{base: standinBase, slow: standinSlow, slowBy: standinSlowBy}
	shards, err := s.start(g, leaves, replicas)
	if err != nil {
		return straggled{}, err
	}
	root, err := searchRoot(ctx, g, fmt.Sprintf("root-%d-%d", leaves, replicas), "standins", shards, map[string]string{
		"SEARCH_HEDGE_BUDGET": fmt.Sprint(hedgeBudget), "SEARCH_HEDGE_QUANTILE": fmt.Sprint(hedgeQuantile),
	})
	if err != nil {
		return straggled{}, err
	}
	defer root.Kill()
	c := newSearchClient(root.Data)
	defer c.close()
	if err := c.warmUp(ctx, max(1000/leaves, 10), numbered("warm")); err != nil {
		return straggled{}, err
	}
	before, calls, slowed := s.searches.Load(), s.calls.Load(), s.slowed.Load()
	result, seen := c.searchLoad(ctx, rate, span, false, numbered("word"))
	if result.Failed > 0 {
		return straggled{}, fmt.Errorf("%d leaves: %d of %d requests failed: %v", leaves, result.Failed, result.Sent, result.Reasons)
	}
	searches := float64(s.searches.Load() - before)
	return straggled{
		requests: len(seen.latencies), failed: result.Failed, slow: seen.above(slowAfter()), p50: seen.quantile(0.5), p99: seen.quantile(0.99),
		extra: float64(s.calls.Load()-calls)/float64(2*len(seen.latencies)*leaves) - 1, exact: float64(s.slowed.Load()-slowed) / searches,
	}, nil
}

// claimStragglers judges with the numbers of leaves that the acceptance names; the others are in the table.
func claimStragglers(r *proof.Report, leaves int, without, with straggled) {
	want := slowShare(leaves)
	deviation := math.Sqrt(want * (1 - want) / float64(without.requests))
	r.Claim(proof.That(fmt.Sprintf("slow requests with %d leaves", leaves), fmt.Sprintf("%s ± %s, three standard deviations of %d requests", percent(want), percent(3*deviation), without.requests),
		percent(without.slow), math.Abs(without.slow-want) <= 3*deviation+1e-9))
	r.Measured(fmt.Sprintf("searches that were slow, %d leaves", leaves), 100*without.exact, "%")
	if leaves == 5 {
		r.Claim(proof.AtMost("p99 beside p50, 5 leaves, hedged", ratio(with.p99, with.p50), 2, "×"))
		r.Claim(proof.AtMost("extra calls, 5 leaves, hedged", 100*with.extra, 100*hedgeBudget, "%"))
		sim := simulatedStragglers(5)
		r.Claim(proof.Within("p99 with hedging, 5 leaves, beside the simulator", milliseconds(with.p99), milliseconds(sim.Quantile(0.99)), 0.3, "ms"))
	}
}

// simulatedStragglers is the simulator's idea of the hedged run.
func simulatedStragglers(leaves int) scattersim.Result {
	return scattersim.Config{
		Leaves: leaves, Replicas: 2, Requests: 200_000 / leaves, Wait: standinBase, Jitter: 200 * time.Microsecond, Gather: 100 * time.Microsecond,
		Slow: standinSlow, SlowBy: standinSlowBy, Hedge: hedgeQuantile, Budget: hedgeBudget, Seed: 1,
	}.Run()
}

package experiments

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
	"github.com/flotilla-dev/flotilla/loadtest/scattersim"
)

const (
	manyLeaves = 100
	failing    = 0.01
)

func yieldOfMany(ctx context.Context, r *proof.Report) error {
	g := rig.New(r)
	defer g.Close()
	if err := g.Build(ctx, "search"); err != nil {
		return err
	}
	t := proof.Table{Title: fmt.Sprintf("%d leaves, each of which fails in 1 %% of its answers", manyLeaves), Columns: []string{"replicas", "requests", "answered whole", "in theory", "simulated", "harvest", "failed answers of leaves"}}
	for _, replicas := range []int{1, 2} {
		want := math.Pow(1-math.Pow(failing, float64(replicas)), manyLeaves)
		got, failures, err := yieldWith(ctx, g, replicas, r.Span(80*time.Second, 4*time.Second))
		if err != nil {
			return err
		}
		deviation := math.Sqrt(want * (1 - want) / float64(got.requests))
		r.Claim(proof.That(fmt.Sprintf("yield with %d replicas of each leaf", replicas), fmt.Sprintf("%s ± %s, three standard deviations", percent(want), percent(3*deviation)), percent(got.yield), math.Abs(got.yield-want) <= 3*deviation+1e-9))
		sim := scattersim.Config{Leaves: manyLeaves, Replicas: replicas, Requests: 5000, Failure: failing, Wait: time.Millisecond, Seed: 3}.Run()
		t.Rows = append(t.Rows, []string{fmt.Sprint(replicas), fmt.Sprint(got.requests), percent(got.yield), percent(want), percent(sim.Yield()), percent(got.harvest), fmt.Sprint(failures)})
	}
	r.Table(t)
	r.Note("Yield is the share of requests that all shards answered. The others were answered too, with what there was: harvest is the mean share of the documents that were searched. Which leaf fails is decided by its name and the query, so that asking the same replica again would change nothing.")
	return nil
}

// yielded is what came of the requests.
type yielded struct {
	requests       int
	yield, harvest float64
}

func yieldWith(ctx context.Context, g *rig.Rig, replicas int, span time.Duration) (yielded, int64, error) {
	s := &standins{base: 5 * time.Millisecond, failing: failing}
	shards, err := s.start(g, manyLeaves, replicas)
	if err != nil {
		return yielded{}, 0, err
	}
	root, err := searchRoot(ctx, g, fmt.Sprintf("root-%d", replicas), "standins", shards, nil)
	if err != nil {
		return yielded{}, 0, err
	}
	defer root.Kill()
	c := newSearchClient(root.Data)
	defer c.close()
	result, seen := c.searchLoad(ctx, 5, span, true, numbered("word"))
	if result.Failed > 0 {
		return yielded{}, 0, fmt.Errorf("%d of %d requests failed: %v", result.Failed, result.Sent, result.Reasons)
	}
	n := float64(len(seen.latencies))
	return yielded{len(seen.latencies), 1 - float64(seen.incomplete)/n, seen.harvest / n}, s.failed.Load(), nil
}

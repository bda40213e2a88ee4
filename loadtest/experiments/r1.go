package experiments

import (
	"context"
	"fmt"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/loadtest/machine"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

func r1() proof.Pattern {
	return proof.Pattern{ID: "R1", Title: "Replicated, load-balanced, stateless service", Page: "r1-replicated.md", Experiments: []proof.Experiment{
		{Name: "start", Question: "How long until the whole fleet is ready, and how much memory does it take?", Run: start},
		{Name: "rolling-restart", Question: "How many requests are lost when every dictionary replica is restarted, and when one is killed?", Run: rolling},
		{Name: "control", Question: "Would the same kill lose requests without retries?", Run: control},
		{Name: "any-process", Question: "And when any other process of the fleet is killed, or the edges are restarted?", Run: anyProcess},
		{Name: "singleton", Question: "What does the roll-out of a singleton cost, beside three replicas?", Run: singleton},
	}}
}

// start measures a first build, the start and the memory of the fleet.
func start(ctx context.Context, r *proof.Report) error {
	g := rig.New(r)
	defer g.Close()
	if r.Quick {
		r.Log("quick: no build from an empty cache")
	} else {
		begin := time.Now()
		if err := g.BuildCold(ctx, rig.Serving()...); err != nil {
			return err
		}
		r.Claim(proof.AtMost("first build, with modules already downloaded", time.Since(begin).Seconds(), 120, "s"))
		begin = time.Now()
		if err := g.BuildCold(ctx, rig.Programs()...); err != nil {
			return err
		}
		r.Measured("first build of all groups", time.Since(begin).Seconds(), "s")
	}
	f, err := g.Up(ctx)
	if err != nil {
		return err
	}
	r.Measured("build by the runner, with a warm build cache", f.BuildTime.Seconds(), "s")
	r.Claim(proof.AtMost("fleet ready after the build", f.ReadyTime.Seconds(), 5, "s"))
	if err := retry.Sleep(ctx, r.Span(5*time.Second, time.Second)); err != nil { // idle
		return err
	}
	sum, t, err := memory(ctx, f)
	if err != nil {
		return err
	}
	r.Claim(proof.AtMost("memory of all processes, idle", sum, 400, "MiB"))
	r.Table(t)
	if err := f.Down(ctx); err != nil {
		return err
	}
	return startAll(ctx, r, g)
}

// startAll measures the same with all groups.
func startAll(ctx context.Context, r *proof.Report, g *rig.Rig) error {
	f, err := g.UpWith(ctx, []string{"all"})
	if err != nil {
		return err
	}
	r.Claim(proof.AtMost("fleet ready with all groups, after the build", f.ReadyTime.Seconds(), 5, "s"))
	if err := retry.Sleep(ctx, r.Span(5*time.Second, time.Second)); err != nil { // idle
		return err
	}
	sum, t, err := memory(ctx, f)
	if err != nil {
		return err
	}
	r.Measured(fmt.Sprintf("memory of %d processes with all groups, idle", len(t.Rows)), sum, "MiB")
	return nil
}

// memory adds up what the processes of a fleet have for themselves, and their share of
// what they have together, in MiB.
func memory(ctx context.Context, f *rig.Fleet) (float64, proof.Table, error) {
	t := proof.Table{Title: "Memory of each process (proportional set size), idle", Columns: []string{"process", "MiB"}}
	s, err := f.Status(ctx)
	if err != nil {
		return 0, t, err
	}
	sum := 0.0
	for _, m := range append(s.Members, rig.Member{Instance: "the runner itself", PID: s.Runner.PID}) {
		bytes, err := machine.PSS(m.PID)
		if err != nil {
			return 0, t, err
		}
		mib := float64(bytes) / (1 << 20)
		sum += mib
		t.Rows = append(t.Rows, []string{m.Instance, proof.Number(mib)})
	}
	return sum, t, nil
}

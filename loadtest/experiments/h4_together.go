package experiments

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/loadtest/openloop"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// coldShards takes the load of two of four shards nearly away, waits until they share replicas, and gives
// one its load back.
func coldShards(ctx context.Context, r *proof.Report) error {
	g := rig.New(r)
	defer g.Close()
	f, err := hotShards(ctx, g, []string{"a", "b", "c", "d"}, 2, nil)
	if err != nil {
		return err
	}
	const full = 2 * even // of two replicas
	l, stop, err := f.begun(ctx, 4*full, map[string]float64{"a": full, "b": full, "c": full / 10, "d": full / 20})
	if err != nil {
		return err
	}
	result, err := f.coldPhases(ctx, r, l, stop, full)
	if err != nil {
		return err
	}
	if err := f.nothingLost(ctx, r, l, result); err != nil {
		return err
	}
	r.Note("Four shards of two replicas each, which answer at most %d requests per second; %.0f/s for a and b, a tenth and a twentieth of that for c and d, "+
		"and later %.0f/s for d, too. A home that serves nobody keeps one replica.", perReplica, full, full)
	return nil
}

func (f *hotFleet) coldPhases(ctx context.Context, r *proof.Report, l *shardLoad, stop func() openloop.Result, full float64) (result openloop.Result, err error) {
	stopped := false
	defer func() {
		if !stopped {
			stop()
		}
	}()
	if err := f.until(ctx, "retire", "d"); err != nil {
		return result, err
	}
	r.Measured("replicas while c and d share", float64(f.replicas()), "")
	shared := l.now() + 1
	if err := retry.Sleep(ctx, r.Span(15*time.Second, 3*time.Second)); err != nil {
		return result, err
	}
	l.set(map[string]float64{"d": full})
	needed := time.Now()
	warm := l.now()
	if err := f.until(ctx, "part", "d"); err != nil {
		return result, err
	}
	r.Measured("from the load of d until it is at home again", time.Since(needed).Seconds(), "s")
	apart := l.now() + 2
	if err := retry.Sleep(ctx, r.Span(15*time.Second, 5*time.Second)); err != nil {
		return result, err
	}
	end := l.now()
	result, stopped = stop(), true
	t := proof.Table{Title: "99th percentile by shard", Columns: []string{"", "a", "b", "c", "d"}}
	for _, phase := range []struct {
		name     string
		from, to int
	}{{"c and d share two replicas", shared, warm}, {"d has its load back, and goes home", warm, apart}, {"all at home", apart, end}} {
		row := []string{phase.name}
		for _, name := range f.names {
			row = append(row, fmt.Sprintf("%.0f ms", milliseconds(l.p99(name, phase.from, phase.to))))
		}
		t.Rows = append(t.Rows, row)
	}
	r.Table(t)
	r.Claim(proof.Exactly("replicas when all are at home", f.replicas(), 8, ""))
	return result, nil
}

func (f *hotFleet) replicas() (n int) {
	for _, name := range f.names {
		n += len(f.scaler.Members("shard-" + name))
	}
	return n
}

// until waits for a decision of a kind about a shard to be carried out.
func (f *hotFleet) until(ctx context.Context, kind, shard string) error {
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); {
		made, err := f.decisions(ctx)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(made, func(d hotDecision) bool { return d.Kind == kind && d.Shard == shard && d.Outcome == "applied" }) {
			return nil
		}
		if err := retry.Sleep(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
	return fmt.Errorf("the controller does not decide to %s shard %s", kind, shard)
}

package experiments

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/loadtest/openloop"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

const (
	upgradeRate = 100 // searches per second
	upgradeWait = time.Second
)

// upgradeUnderLoad drains and restarts every leaf, and kills every leaf, while users search.
func upgradeUnderLoad(ctx context.Context, r *proof.Report) error {
	s, documents, err := filledSearch(ctx, r, searchSpec{name: "upgrade", shards: 3, replicas: 2, leaf: map[string]string{"DRAIN_DELAY": "1s"}})
	if err != nil {
		return err
	}
	defer s.rig.Close()
	queries := searchQueries(documents, 1000, 41)
	query := func(n int) url.Values { return queries[n%len(queries)] }
	if err := s.warmUp(ctx, 100, query); err != nil {
		return err
	}
	drained := func(ctx context.Context, p *rig.Proc) error { return p.Stop(ctx) }
	killed := func(_ context.Context, p *rig.Proc) error { p.Kill(); return nil }
	for _, what := range []struct {
		name, chart string
		end         func(context.Context, *rig.Proc) error
	}{{"rolling upgrade of all leaves", "upgrade", drained}, {"kill -9 of each replica, one after the other", "kill", killed}} {
		result, happened, err := s.overturn(ctx, r.Span(3*time.Second, 500*time.Millisecond), what.end, query)
		if err != nil {
			return fmt.Errorf("%s: %w", what.name, err)
		}
		r.Claim(proof.Exactly("failed or incomplete searches, "+what.name, int(result.Failed), 0, fmt.Sprintf("of %d", result.Sent)))
		r.Claim(proof.Exactly("searches that nobody accounts for, "+what.name, int(result.Sent-result.Good-result.Failed), 0, fmt.Sprintf("of %d", result.Sent)))
		r.Measured("p50, "+what.name, milliseconds(result.Latency.Quantile(0.5)), "ms")
		r.Measured("p99, "+what.name, milliseconds(result.Latency.Quantile(0.99)), "ms")
		r.Measured("longest, "+what.name, milliseconds(result.Latency.Max()), "ms")
		for why, n := range result.Reasons {
			r.Note("%s: %d × %s", what.name, n, why)
		}
		if err := r.Chart(what.chart, searchTimeline(what.name, result, happened)); err != nil {
			return err
		}
	}
	r.Note("Three shards of two leaves each, %d documents, %d searches of all kinds per second; a failure is any answer that is no success, and one without a shard. A leaf is ready again when it has loaded its snapshot and caught up with the log; the next one is taken %v later, as minReadySeconds does it.", len(documents), upgradeRate, upgradeWait)
	return nil
}

// overturn ends and restarts each leaf while users search.
func (s *searchRig) overturn(ctx context.Context, quiet time.Duration, end func(context.Context, *rig.Proc) error, query func(int) url.Values) (openloop.Result, []timed, error) {
	loadCtx, stop := context.WithCancel(ctx)
	defer stop()
	results := make(chan openloop.Result, 1)
	begin := time.Now()
	go func() {
		result, _ := s.searchLoad(loadCtx, upgradeRate, 0, false, query)
		results <- result
	}()
	var happened []timed
	err := retry.Sleep(ctx, quiet)
	for _, p := range s.all() {
		if err != nil {
			break
		}
		at := timed{name: p.Spec.Name, begun: time.Since(begin)}
		if err = end(ctx, p); err == nil {
			err = retry.Sleep(ctx, quiet)
		}
		if err == nil {
			err = p.Restart(ctx)
		}
		at.end = time.Since(begin)
		happened = append(happened, at)
		if err == nil {
			err = retry.Sleep(ctx, upgradeWait)
		}
	}
	if err == nil {
		err = retry.Sleep(ctx, quiet)
	}
	stop()
	return <-results, happened, err
}

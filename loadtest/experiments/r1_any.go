package experiments

import (
	"context"
	"fmt"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// edgeWindow is how long after an edge was killed a request may still fail: those in
// flight on its connections do, at once.
const edgeWindow = 100 * time.Millisecond

// anyProcess kills what stands around the dictionaries. Behind the edges nobody may
// notice; an edge takes with it what is in flight on its own connections.
func anyProcess(ctx context.Context, r *proof.Report) error {
	g := rig.New(r)
	defer g.Close()
	f, err := g.Up(ctx)
	if err != nil {
		return err
	}
	quiet := r.Span(4*time.Second, time.Second)
	for _, victim := range []string{"content-1", "redis-1", "cache-1", "cache-2"} {
		result, happened, err := under(ctx, f, quiet, kill9(f, victim))
		if err != nil {
			return err
		}
		r.Claim(proof.Exactly("failed requests, kill -9 "+victim, int(result.Failed), 0, fmt.Sprintf("of %d", result.Sent)))
		reportRun(r, "kill -9 "+victim, result, happened)
	}
	result, happened, err := under(ctx, f, quiet, kill9(f, "edge-2"))
	if err != nil {
		return err
	}
	r.Claim(proof.AtMost("kill -9 edge-2: time between the first and the last request that failed", milliseconds(result.LastFailure-result.FirstFailure), milliseconds(edgeWindow), "ms"))
	r.Measured("kill -9 edge-2: failed, in flight on its connections", float64(result.Failed), fmt.Sprintf("of %d", result.Sent))
	reportRun(r, "kill -9 edge-2", result, happened)
	result, happened, err = under(ctx, f, quiet, restart(f, "edge"))
	if err != nil {
		return err
	}
	r.Claim(proof.Exactly("failed requests, rolling restart of the edges", int(result.Failed), 0, fmt.Sprintf("of %d", result.Sent)))
	reportRun(r, "the rolling restart of the edges", result, happened)
	return nil
}

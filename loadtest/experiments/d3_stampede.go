package experiments

import (
	"context"
	"fmt"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/openloop"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// probeStampede probes at 1,000/s, and asks the database how many connections it has
// seen: its count before is that of the checks at the start.
func probeStampede(ctx context.Context, r *proof.Report) error {
	g := rig.New(r)
	defer g.Close()
	db, health, err := probed(ctx, g, nil, nil)
	if err != nil {
		return err
	}
	client, err := openloop.Target{URL: "http://" + health.Data}.Open()
	if err != nil {
		return err
	}
	defer client.Close()
	before, err := counter(ctx, db, "mysql_connections_total")
	if err != nil {
		return err
	}
	span := r.Span(10*time.Second, 3*time.Second)
	result := openloop.Load{Rate: 1000, Duration: span, Send: func(ctx context.Context, n int) openloop.Answer {
		return client.Get(ctx, []string{"/database/livez", "/database/readyz"}[n%2], nil)
	}}.Run(ctx)
	after, err := counter(ctx, db, "mysql_connections_total")
	if err != nil {
		return err
	}
	r.Claim(proof.Exactly("probes that were not answered 200", int(result.Failed), 0, fmt.Sprintf("of %d", result.Sent)))
	r.Claim(proof.AtMost(fmt.Sprintf("connections that the database saw in %s (DBHEALTH_TTL is 1s)", span), after-before, span.Seconds()+1, ""))
	r.Measured("answer to a probe, median", milliseconds(result.Latency.Quantile(0.5)), "ms")
	r.Measured("answer to a probe, p99", milliseconds(result.Latency.Quantile(0.99)), "ms")
	return nil
}

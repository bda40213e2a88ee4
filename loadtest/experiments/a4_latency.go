package experiments

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/chart"
	"github.com/flotilla-dev/flotilla/loadtest/duel"
	"github.com/flotilla-dev/flotilla/loadtest/openloop"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// splitRate is a load that leaves everybody idle most of the time: latency is asked for, not capacity.
const splitRate = 200

// calls is a round of one user's requests to an address.
func calls(ctx context.Context, r *proof.Report, addr, user string) (duel.Sample, error) {
	client, err := openloop.Target{URL: "http://" + addr}.Open()
	if err != nil {
		return duel.Sample{}, err
	}
	defer client.Close()
	header := http.Header{"Cookie": {"experiment=" + user}}
	result := openloop.Load{Rate: splitRate, Duration: r.Span(10*time.Second, 2*time.Second), Send: func(ctx context.Context, _ int) openloop.Answer {
		return client.Get(ctx, "/1024/page", header)
	}}.Run(ctx)
	s := duel.Sample{Ops: result.Good, Errors: result.Failed, Took: result.Took, P50: result.Latency.Quantile(0.5), P99: result.Latency.Quantile(0.99)}
	for reason, n := range result.Reasons {
		s.Remarks = append(s.Remarks, fmt.Sprintf("%d × %s", n, reason))
	}
	return s, nil
}

// added compares the way through the ambassador, to production and to the experiment, with the way without it.
func added(ctx context.Context, r *proof.Report) error {
	g := rig.New(r)
	defer g.Close()
	if err := g.Build(ctx, "experiment"); err != nil {
		return err
	}
	origin, arm := &rig.Origin{}, &rig.Origin{}
	for _, o := range []*rig.Origin{origin, arm} {
		if err := g.Origin(o); err != nil {
			return err
		}
	}
	a, err := ambassador(ctx, g, "experiment", origin.Upstream(), next("50.00", arm.Upstream()), nil)
	if err != nil {
		return err
	}
	inside, outside, err := pairOfUsers(ctx, a, originPath)
	if err != nil {
		return err
	}
	out, err := duel.Run(ctx, duel.Options{Rounds: r.Rounds(), Log: r.Log},
		duel.Side{Name: "direct", Round: func(ctx context.Context) (duel.Sample, error) { return calls(ctx, r, origin.Addr, outside) }},
		duel.Side{Name: "production", Round: func(ctx context.Context) (duel.Sample, error) { return calls(ctx, r, a.Data, outside) }},
		duel.Side{Name: "experiment", Round: func(ctx context.Context) (duel.Sample, error) { return calls(ctx, r, a.Data, inside) }})
	if err != nil {
		return err
	}
	direct := milliseconds(out[0].P50())
	bars := chart.Bars{Title: "Median of a request with and without the ambassador", Note: fmt.Sprintf("%d requests/s, 1 KiB, open loop; dashed: + 0.3 ms", splitRate), Unit: "ms",
		Rows: []chart.Row{{Label: "direct", Value: direct, Series: 1}}}
	for _, side := range out[1:] {
		through := milliseconds(side.P50())
		r.Claim(proof.AtMost("added to the median, "+side.Name, through-direct, 0.3, "ms"))
		bars.Rows = append(bars.Rows, chart.Row{Label: side.Name, Value: through, Target: direct + 0.3})
	}
	r.Table(duelTable(fmt.Sprintf("%d requests/s of 1 KiB", splitRate), out))
	return r.Chart("latency", bars)
}

// pairOfUsers finds one user of the experiment and one of production.
func pairOfUsers(ctx context.Context, a *armed, path string) (inside, outside string, err error) {
	arms, err := census(ctx, a, path, 64)
	for i, arm := range arms {
		if arm == "next" {
			inside = userOf(i)
		} else {
			outside = userOf(i)
		}
	}
	if err == nil && (inside == "" || outside == "") {
		err = fmt.Errorf("of 64 users all are served by one arm: %v", arms)
	}
	return inside, outside, err
}

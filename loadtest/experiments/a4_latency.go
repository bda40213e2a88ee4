package experiments

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/chart"
	"github.com/flotilla-dev/flotilla/loadtest/duel"
	"github.com/flotilla-dev/flotilla/loadtest/hist"
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
	return sampleOf(result), nil
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
	a, err := splitter(ctx, g, "experiment", origin.Upstream(), next("50.00", arm.Upstream()), nil)
	if err != nil {
		return err
	}
	inside, outside, err := pairOfUsers(ctx, a, originPath)
	if err != nil {
		return err
	}
	ways := []*way{{name: "direct", addr: origin.Addr, user: outside}, {name: "production", addr: a.Data, user: outside}, {name: "experiment", addr: a.Data, user: inside}}
	if err := inTurn(ctx, r.Span(30*time.Second, 4*time.Second), ways); err != nil {
		return err
	}
	direct := milliseconds(ways[0].latency.Quantile(0.5))
	bars := chart.Bars{Title: "Median of a request with and without the splitter", Note: "1 KiB, one request at a time, the ways in turn; dashed: + 0.3 ms", Unit: "ms"}
	table := proof.Table{Title: "One request of 1 KiB at a time, the ways in turn", Columns: []string{"", "requests", "p50", "p99"}}
	for i, w := range ways {
		median := milliseconds(w.latency.Quantile(0.5))
		row := chart.Row{Label: w.name, Value: median, Target: direct + 0.3}
		if i == 0 {
			row = chart.Row{Label: w.name, Value: median, Series: 1}
		} else {
			r.Claim(proof.AtMost("added to the median, "+w.name, median-direct, 0.3, "ms"))
		}
		bars.Rows = append(bars.Rows, row)
		table.Rows = append(table.Rows, []string{w.name, strconv.FormatUint(w.latency.Count(), 10),
			proof.Number(median) + " ms", proof.Number(milliseconds(w.latency.Quantile(0.99))) + " ms"})
	}
	r.Table(table)
	return r.Chart("latency", bars)
}

// way is one way to the same page.
type way struct {
	name, addr, user string
	latency          hist.Histogram
}

// inTurn asks each way once, and again, so that whatever else the machine does meets all of them.
func inTurn(ctx context.Context, span time.Duration, ways []*way) error {
	clients := make([]*openloop.Client, len(ways))
	for i, w := range ways {
		var err error
		if clients[i], err = (openloop.Target{URL: "http://" + w.addr}).Open(); err != nil {
			return err
		}
		defer clients[i].Close()
	}
	for end := time.Now().Add(span); time.Now().Before(end); {
		for i, w := range ways {
			began := time.Now()
			answer := clients[i].Get(ctx, "/1024/page", http.Header{"Cookie": {"experiment=" + w.user}})
			took := time.Since(began)
			if answer.Err != nil || answer.Status != http.StatusOK {
				return fmt.Errorf("%s: status %d, %v", w.name, answer.Status, answer.Err)
			}
			w.latency.Record(took)
		}
	}
	return nil
}

// pairOfUsers finds one user of the experiment and one of production.
func pairOfUsers(ctx context.Context, a *armed, path string) (inside, outside string, err error) {
	cookies := newUsers(256)
	arms, err := census(ctx, a, path, cookies)
	for i, arm := range arms {
		if arm == "next" {
			inside = cookies[i]
		} else {
			outside = cookies[i]
		}
	}
	if err == nil && (inside == "" || outside == "") {
		err = fmt.Errorf("of 256 users all are served by one arm: %v", arms)
	}
	return inside, outside, err
}

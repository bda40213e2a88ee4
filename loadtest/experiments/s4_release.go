package experiments

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/chart"
	"github.com/flotilla-dev/flotilla/loadtest/hist"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// release pushes with the real git and asks for the page until it is the new one:
// told by a hook, as it is meant, and for comparison by asking every two seconds.
func release(ctx context.Context, r *proof.Report) error {
	g := rig.New(r)
	defer g.Close()
	pushes := 50
	if r.Quick {
		pushes = 10
	}
	hooked, returned, err := releases(ctx, g, "hook", true, "30s", pushes)
	if err != nil {
		return err
	}
	polled, _, err := releases(ctx, g, "period", false, "2s", pushes/5)
	if err != nil {
		return err
	}
	p95 := hooked.Quantile(0.95)
	r.Claim(proof.AtMost(fmt.Sprintf("from the beginning of git push to the new page, p95 of %d", pushes), p95.Seconds(), 3, "s"))
	r.Measured("the same, median", hooked.Quantile(0.5).Seconds(), "s")
	r.Measured("from the end of git push, p95", returned.Quantile(0.95).Seconds(), "s")
	r.Measured("without the hook, asking every 2 s: median", polled.Quantile(0.5).Seconds(), "s")
	return r.Chart("release", chart.Bars{Title: "From git push to the new page", Note: "from the beginning of the command; dashed: 3 s", Unit: "s", Rows: []chart.Row{
		{Label: "hook, median", Value: hooked.Quantile(0.5).Seconds(), Series: 1}, {Label: "hook, p95", Value: p95.Seconds(), Target: 3, Series: 1},
		{Label: "every 2 s, median", Value: polled.Quantile(0.5).Seconds()},
	}})
}

func releases(ctx context.Context, g *rig.Rig, label string, hook bool, period string, pushes int) (begun, returned *hist.Histogram, err error) {
	s, err := releasing(ctx, g, label, hook, period)
	if err != nil {
		return nil, nil, err
	}
	client := &http.Client{Timeout: 5 * time.Second}
	defer client.CloseIdleConnections()
	begun, returned = new(hist.Histogram), new(hist.Histogram)
	for n := range pushes {
		if err := s.commit(ctx, n); err != nil {
			return nil, nil, err
		}
		begin := time.Now()
		if err := s.git(ctx, s.clone, "push", "-q"); err != nil {
			return nil, nil, err
		}
		pushed := time.Now()
		if err := s.await(ctx, client, n); err != nil {
			return nil, nil, err
		}
		begun.Record(time.Since(begin))
		returned.Record(time.Since(pushed))
	}
	return begun, returned, nil
}

package experiments

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/chart"
	"github.com/flotilla-dev/flotilla/loadtest/closedloop"
	"github.com/flotilla-dev/flotilla/loadtest/duel"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// hitTargets are multiples of Varnish's figures.
type hitTargets struct{ rate, cpu, p99 float64 }

// hits compares hits of one size with Varnish. Varnish gives each connection a
// thread and is made to use all processors, so neither side is pinned.
func hits(size int, want hitTargets) func(context.Context, *proof.Report) error {
	return func(ctx context.Context, r *proof.Report) error {
		if err := rig.Need("varnishd", "wrk"); err != nil {
			return err
		}
		g := rig.New(r)
		defer g.Close()
		if err := g.Build(ctx, "cache"); err != nil {
			return err
		}
		origin := &rig.Origin{}
		if err := g.Origin(origin); err != nil {
			return err
		}
		varnish, err := g.Varnish(ctx, origin.Addr)
		if err != nil {
			return err
		}
		off, err := cacheBefore(ctx, g, "cache", origin.Upstream(), nil)
		if err != nil {
			return err
		}
		limiter, err := limiterOn(g)
		if err != nil {
			return err
		}
		on, err := cacheBefore(ctx, g, "cache-limiter", origin.Upstream(), limiter)
		if err != nil {
			return err
		}
		all, err := cacheBefore(ctx, g, "cache-all", origin.Upstream(), map[string]string{"CACHE_THREADS": "0"})
		if err != nil {
			return err
		}
		path := fmt.Sprintf("/%d/hit", size)
		side := func(name string, p *rig.Proc) duel.Side {
			return wrkSide(name, p, path, r.Span(8*time.Second, time.Second))
		}
		out, err := duel.Run(ctx, duel.Options{Rounds: r.Rounds(), Log: r.Log},
			side("cache", off), side("cache, limiter on", on), side("Varnish", varnish), side("cache, a thread for each CPU", all))
		if err != nil {
			return missing(err)
		}
		if before := origin.Requests.Load(); before > 10 {
			return fmt.Errorf("the origin was asked %d times: these were no hits", before)
		}
		return reportHits(ctx, r, size, want, out, off, path)
	}
}

// wrkSide loads a server by HTTP/1.1 over 64 connections.
func wrkSide(name string, p *rig.Proc, path string, d time.Duration) duel.Side {
	return duel.Side{Name: name, Round: func(ctx context.Context) (duel.Sample, error) {
		return closedloop.Wrk(ctx, closedloop.Load{URL: "http://" + p.Data + path, Duration: d, Server: p.PID()})
	}}
}

// missing turns a tool that is not there into what cannot be shown here.
func missing(err error) error {
	if errors.Is(err, closedloop.ErrNotInstalled) {
		return proof.Missing{What: err.Error()}
	}
	return err
}

func reportHits(ctx context.Context, r *proof.Report, size int, want hitTargets, out []duel.Outcome, cache *rig.Proc, path string) error {
	ours, limited, varnish, all := out[0], out[1], out[2], out[3]
	r.Claim(proof.AtLeast("rate beside Varnish", ours.Rate()/varnish.Rate(), want.rate, "×"))
	r.Claim(proof.AtMost("CPU per request beside Varnish", ratio(ours.CPUPerOp(), varnish.CPUPerOp()), want.cpu, "×"))
	r.Claim(proof.AtMost("p99 beside Varnish", ratio(ours.P99(), varnish.P99()), want.p99, "×"))
	r.Measured("rate with the limiter on, beside Varnish", limited.Rate()/varnish.Rate(), "×")
	r.Measured("CPU per request with the limiter on, beside Varnish", ratio(limited.CPUPerOp(), varnish.CPUPerOp()), "×")
	// They share the CPUs with the load generator.
	r.Measured("p99 with a thread for each CPU, beside Varnish", ratio(all.P99(), varnish.P99()), "×")
	r.Measured("rate with a thread for each CPU, beside Varnish", all.Rate()/varnish.Rate(), "×")
	r.Measured("CPU per request with a thread for each CPU, beside Varnish", ratio(all.CPUPerOp(), varnish.CPUPerOp()), "×")
	r.Table(duelTable(fmt.Sprintf("Hits of %d KiB, medians of %d alternated rounds", size>>10, len(ours.Rounds)), out))
	r.Note("wrk, one thread, 64 connections, %d rounds; no side is pinned. Access log, metrics and Cache-Status of the cache are on; Varnish's log stays in shared memory.", len(ours.Rounds))
	if err := profile(ctx, r, cache, func(ctx context.Context, d time.Duration) error {
		_, err := wrkSide("", cache, path, d).Round(ctx)
		return err
	}); err != nil {
		return err
	}
	return r.Chart(fmt.Sprintf("hit-%dk", size>>10), chart.Bars{
		Title: fmt.Sprintf("Cache hits of %d KiB", size>>10), Unit: "requests per second", Note: "medians of alternated rounds; dashed: the claim",
		Rows: []chart.Row{
			{Label: "cache", Value: ours.Rate(), Target: want.rate * varnish.Rate()},
			{Label: "cache, limiter on", Value: limited.Rate()},
			{Label: "Varnish 7", Value: varnish.Rate(), Series: 1},
		},
	})
}

func ratio(a, b time.Duration) float64 { return float64(a) / float64(b) }

func duelTable(title string, out []duel.Outcome) proof.Table {
	t := proof.Table{Title: title, Columns: []string{"", "per second", "lowest – highest", "CPU each", "CPUs busy", "p50", "p99"}}
	for _, o := range out {
		lowest, highest := o.Spread()
		t.Rows = append(t.Rows, []string{
			o.Name, chart.Number(o.Rate()), chart.Number(lowest) + " – " + chart.Number(highest), fmt.Sprintf("%.1f µs", microseconds(o.CPUPerOp())),
			fmt.Sprintf("%.2f", o.Busy()), told(o.P50()), told(o.P99()),
		})
	}
	return t
}

func told(d time.Duration) string {
	if d == 0 {
		return "–"
	}
	return chart.Number(milliseconds(d)) + " ms"
}

package experiments

import (
	"context"
	"fmt"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/loadtest/chart"
	"github.com/flotilla-dev/flotilla/loadtest/openloop"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// flooded is what a flood was allowed.
type flooded struct {
	allowed, refused int
	each             []int // allowed by each cache
	took             time.Duration
}

// flood asks the caches in turn from one address, at 20 times the limit.
func flood(ctx context.Context, caches []*rig.Proc, d time.Duration) (flooded, error) {
	const from = "127.0.0.9"
	clients := make([]*openloop.Client, len(caches))
	each := make([]chan bool, len(caches))
	for i, p := range caches {
		var err error
		if clients[i], err = (openloop.Target{URL: "http://" + p.Data, From: from}).Open(); err != nil {
			return flooded{}, err
		}
		defer clients[i].Close()
		each[i] = make(chan bool, int(20*limitRate*d.Seconds())+1000)
	}
	result := openloop.Load{
		Rate: 20 * limitRate, Duration: d,
		Good: func(a openloop.Answer) bool { return a.Status == 200 || a.Status == 429 },
		Send: func(ctx context.Context, n int) openloop.Answer {
			i := n % len(caches)
			a := clients[i].Get(ctx, "/64/page", nil)
			if a.Status == 200 {
				each[i] <- true
			}
			return a
		},
	}.Run(ctx)
	if result.Failed > 0 {
		return flooded{}, fmt.Errorf("flood: %d answers were neither 200 nor 429: %v", result.Failed, result.Reasons)
	}
	f := flooded{allowed: int(result.ByStatus[200]), refused: int(result.ByStatus[429]), took: result.Took}
	for _, allowed := range each {
		f.each = append(f.each, len(allowed))
	}
	return f, nil
}

// promised is burst + rate × time.
func promised(took time.Duration) float64 { return limitBurst + limitRate*took.Seconds() }

func exact(ctx context.Context, r *proof.Report) error {
	g := rig.New(r)
	defer g.Close()
	origin := &rig.Origin{}
	if err := g.Origin(origin); err != nil {
		return err
	}
	bars := chart.Bars{Title: "A flood of four seconds at 1,000/s, limit 50/s, burst 20", Note: "dashed: burst + rate × time", Unit: "requests allowed"}
	for _, run := range []struct {
		label         string
		caches, asked int
	}{{"one cache", 1, 1}, {"two caches", 2, 2}, {"two caches, the flood at one of them", 2, 1}} {
		_, caches, err := limited(ctx, g, run.label, run.caches, origin.Upstream())
		if err != nil {
			return err
		}
		// Replicas that share a limit find each other first.
		if err := retry.Sleep(ctx, 2*time.Second); err != nil {
			return err
		}
		f, err := flood(ctx, caches[:run.asked], 4*time.Second)
		if err != nil {
			return err
		}
		r.Claim(proof.Within("requests allowed by "+run.label, float64(f.allowed), promised(f.took), 0.02, "requests"))
		for i, allowed := range f.each {
			r.Measured(fmt.Sprintf("of them by cache %d", i+1), float64(allowed), "requests")
		}
		r.Measured("refused by "+run.label, float64(f.refused), "requests")
		bars.Rows = append(bars.Rows, chart.Row{Label: run.label, Value: float64(f.allowed), Target: promised(f.took)})
	}
	return r.Chart("exact", bars)
}

// withoutRedis takes Redis away from two caches and floods both: each allows half.
func withoutRedis(ctx context.Context, r *proof.Report) error {
	g := rig.New(r)
	defer g.Close()
	origin := &rig.Origin{}
	if err := g.Origin(origin); err != nil {
		return err
	}
	redis, caches, err := limited(ctx, g, "away", 2, origin.Upstream())
	if err != nil {
		return err
	}
	if err := retry.Sleep(ctx, 2*time.Second); err != nil { // they know of each other
		return err
	}
	redis.Kill()
	if err := retry.Sleep(ctx, 2*time.Second); err != nil { // and that Redis is away
		return err
	}
	f, err := flood(ctx, caches, 4*time.Second)
	if err != nil {
		return err
	}
	for i, allowed := range f.each {
		r.Claim(proof.Within(fmt.Sprintf("requests allowed by cache %d: its share", i+1), float64(allowed), promised(f.took)/2, 0.05, "requests"))
	}
	r.Claim(proof.Within("requests allowed by both", float64(f.allowed), promised(f.took), 0.05, "requests"))
	return nil
}

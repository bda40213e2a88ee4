package experiments

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/loadtest/chart"
	"github.com/flotilla-dev/flotilla/loadtest/duel"
	"github.com/flotilla-dev/flotilla/loadtest/openloop"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

const (
	otherClients = 5
	otherRate    = 40 // of each, below its limit
)

// others measures polite clients without and beside a flood, in alternated rounds.
// The service behind takes 20 ms and can do 400/s: enough for them, not for the
// flood, as the control without limits shows.
func others(ctx context.Context, r *proof.Report) error {
	g := rig.New(r)
	defer g.Close()
	origin := &rig.Origin{Delay: 20 * time.Millisecond, Rate: 400, MaxAge: "no-store"}
	if err := g.Origin(origin); err != nil {
		return err
	}
	_, caches, err := limited(ctx, g, "others", 2, origin.Upstream())
	if err != nil {
		return err
	}
	span := r.Span(10*time.Second, 2*time.Second)
	out, err := duel.Run(ctx, duel.Options{Rounds: r.Rounds(), Log: r.Log},
		duel.Side{Name: "calm", Round: func(ctx context.Context) (duel.Sample, error) { return polite(ctx, caches, span, false) }},
		duel.Side{Name: "beside a flood", Round: func(ctx context.Context) (duel.Sample, error) { return polite(ctx, caches, span, true) }})
	if err != nil {
		return err
	}
	calm, beside := milliseconds(out[0].P99()), milliseconds(out[1].P99())
	r.Claim(proof.AtMost("p99 of others beside the flood, as a multiple of calm", beside/calm, 1.2, "×"))
	r.Table(duelTable(fmt.Sprintf("%d clients with %d/s each; the flood has %d/s", otherClients, otherRate, 20*limitRate), out))

	free, err := cacheBefore(ctx, g, "cache-unlimited", origin.Upstream(), nil)
	if err != nil {
		return err
	}
	without, err := polite(ctx, []*rig.Proc{free}, span, true)
	if err != nil {
		return err
	}
	r.Claim(proof.AtLeast("control without limits: p99 of others as a multiple of calm", milliseconds(without.P99)/calm, 2, "×"))
	r.Measured("control without limits: failed requests of others", float64(without.Errors), fmt.Sprintf("of %d", without.Ops+without.Errors))
	return r.Chart("others", chart.Bars{Title: "Polite clients beside a flood of 1,000/s", Note: "p99; the service takes 20 ms and can do 400/s; dashed: + 20 %", Unit: "ms", Rows: []chart.Row{
		{Label: "calm", Value: calm, Series: 1}, {Label: "flood, limited", Value: beside, Target: 1.2 * calm}, {Label: "flood, no limits", Value: milliseconds(without.P99), Bad: true},
	}})
}

// polite is a round of clients that stay below their limit.
func polite(ctx context.Context, caches []*rig.Proc, span time.Duration, withFlood bool) (duel.Sample, error) {
	clients := make([]*openloop.Client, 0, otherClients*len(caches))
	for i := range otherClients {
		for _, p := range caches {
			c, err := openloop.Target{URL: "http://" + p.Data, From: fmt.Sprintf("127.0.0.%d", 20+i)}.Open()
			if err != nil {
				return duel.Sample{}, err
			}
			defer c.Close()
			clients = append(clients, c)
		}
	}
	floodCtx, stop := context.WithCancel(ctx)
	defer stop()
	var wg sync.WaitGroup
	var floodErr error
	if withFlood {
		wg.Go(func() { floodErr = rush(floodCtx, caches) })
		if err := retry.Sleep(ctx, time.Second); err != nil { // its burst is over
			return duel.Sample{}, err
		}
	}
	result := openloop.Load{Rate: otherClients * otherRate, Duration: span, Send: func(ctx context.Context, n int) openloop.Answer {
		return clients[n%len(clients)].Get(ctx, "/64/page", nil)
	}}.Run(ctx)
	stop()
	wg.Wait()
	return sampleOf(result), floodErr
}

var errNoFlood = errors.New("the flood sent nothing")

// rush floods until ctx ends, whatever it is answered.
func rush(ctx context.Context, caches []*rig.Proc) error {
	clients := make([]*openloop.Client, len(caches))
	for i, p := range caches {
		c, err := openloop.Target{URL: "http://" + p.Data, From: "127.0.0.9"}.Open()
		if err != nil {
			return err
		}
		defer c.Close()
		clients[i] = c
	}
	result := openloop.Load{Rate: 20 * limitRate, Timeout: 5 * time.Second, MaxInFlight: 20_000, Send: func(ctx context.Context, n int) openloop.Answer {
		return clients[n%len(clients)].Get(ctx, "/64/page", nil)
	}}.Run(ctx)
	if result.Sent == 0 {
		return errNoFlood
	}
	return nil
}

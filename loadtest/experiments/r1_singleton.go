package experiments

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/loadtest/openloop"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

const (
	day  = 24 * time.Hour
	hour = time.Hour
)

// singleton rolls out a new version of the only replica there is – stop, start,
// download, ready – under load and beside it the same of three replicas.
func singleton(ctx context.Context, r *proof.Report) error {
	r.Claim(proof.Within("downtime that 99.9 % allows", (1-0.999)*day.Minutes(), 1.44, 0.03, "min a day"))
	r.Claim(proof.Within("and for each of hourly roll-outs", (1-0.999)*hour.Seconds(), 3.6, 0.03, "s"))
	g := rig.New(r)
	defer g.Close()
	alone, down, err := rollSingleton(ctx, r, g)
	if err != nil {
		return err
	}
	r.Measured("downtime of the singleton's roll-out", down.Seconds(), "s")
	r.Claim(proof.Within("requests that failed meanwhile, beside downtime × rate", float64(alone.Failed), down.Seconds()*arrivals, 0.03, "requests"))
	r.Claim(proof.AtLeast("requests that the singleton's roll-out fails", float64(alone.Failed), 1, fmt.Sprintf("of %d", alone.Sent)))
	f, err := g.Up(ctx)
	if err != nil {
		return err
	}
	three, _, err := under(ctx, f, r.Span(3*time.Second, time.Second), restart(f, "dictionary"))
	if err != nil {
		return err
	}
	lost := time.Duration(float64(three.Failed) / arrivals * float64(time.Second))
	r.Claim(proof.Exactly("requests that three replicas' roll-out fails", int(three.Failed), 0, fmt.Sprintf("of %d", three.Sent)))
	row := func(name string, down time.Duration) []string {
		most := "any number"
		if down > 0 {
			most = proof.Number(math.Floor((1 - 0.9999) * day.Seconds() / down.Seconds()))
		}
		return []string{name, fmt.Sprintf("%.2f s", down.Seconds()), fmt.Sprintf("%.2f min", 24*down.Minutes()), fmt.Sprintf("%.3f %%", availability(down)*100), most}
	}
	r.Table(proof.Table{Title: "Hourly roll-outs", Columns: []string{"", "downtime each", "a day", "available", "roll-outs a day that 99.99 % allows"}, Rows: [][]string{
		row("what 99.9 % allows", 3600*time.Millisecond), row("singleton", down), row("three replicas", lost),
	}})
	r.Note("The singleton downloads its data again, as a new container does, but over loopback: on a network add the transfer, and the start of the container.")
	return r.Chart("singleton", timeline("Roll-out of a singleton", alone, nil))
}

// availability with one roll-out an hour.
func availability(down time.Duration) float64 { return 1 - down.Seconds()/hour.Seconds() }

// rollSingleton restarts a lone dictionary under load, downloading its data from a
// content server as a new container would. The downtime is seen by a second client
// that tries every few milliseconds.
func rollSingleton(ctx context.Context, r *proof.Report, g *rig.Rig) (openloop.Result, time.Duration, error) {
	if err := g.Build(ctx, "dictionary", "content"); err != nil {
		return openloop.Result{}, 0, err
	}
	data, err := g.Content(ctx)
	if err != nil {
		return openloop.Result{}, 0, err
	}
	only, err := g.Dictionaries(ctx, 1, map[string]string{"DICTIONARY_DATA_URL": data, "LOG_LEVEL": "WARN"})
	if err != nil {
		return openloop.Result{}, 0, err
	}
	quiet := r.Span(3*time.Second, time.Second)
	return downDuring(ctx, only[0].Data, quiet, func(ctx context.Context) error {
		return errors.Join(only[0].Stop(ctx), only[0].Restart(ctx))
	})
}

// downDuring puts a load on a server while something is done to it, with quiet before and
// after, and returns what users saw and for how long nobody answered.
func downDuring(ctx context.Context, addr string, quiet time.Duration, do func(ctx context.Context) error) (openloop.Result, time.Duration, error) {
	client, err := plain(addr)
	if err != nil {
		return openloop.Result{}, 0, err
	}
	defer client.Close()
	loadCtx, stop := context.WithCancel(ctx)
	defer stop()
	results := make(chan openloop.Result, 1)
	go func() {
		results <- openloop.Load{Rate: arrivals, Slice: 500 * time.Millisecond, Send: client.Getter(uncached)}.Run(loadCtx)
	}()
	downs := make(chan time.Duration, 1)
	go func() { downs <- watchDown(loadCtx, addr) }()
	err = errors.Join(retry.Sleep(ctx, quiet), do(ctx), retry.Sleep(ctx, quiet))
	stop()
	return <-results, <-downs, err
}

// watchDown tries over and over, with a new connection each time, until ctx ends,
// and returns the time from the first failure to the first success after the last.
func watchDown(ctx context.Context, addr string) time.Duration {
	const every = 2 * time.Millisecond
	var first, last time.Time
	failing := false
	for retry.Sleep(ctx, every) == nil {
		client, err := plain(addr)
		if err != nil {
			return 0
		}
		asked := time.Now()
		a := client.Get(ctx, uncached, nil)
		client.Close()
		switch good := a.Err == nil && a.Status == 200; {
		case ctx.Err() != nil:
		case !good:
			if first.IsZero() {
				first = asked
			}
			failing = true
		case failing:
			last, failing = asked, false
		}
	}
	if first.IsZero() {
		return 0
	}
	return last.Sub(first)
}

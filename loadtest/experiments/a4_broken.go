package experiments

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/loadtest/chart"
	"github.com/flotilla-dev/flotilla/loadtest/duel"
	"github.com/flotilla-dev/flotilla/loadtest/hist"
	"github.com/flotilla-dev/flotilla/loadtest/openloop"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// shadows compares users without a shadow with those whose every request is copied to one that is broken.
func shadows(ctx context.Context, r *proof.Report) error {
	g := rig.New(r)
	defer g.Close()
	if err := g.Build(ctx, "experiment"); err != nil {
		return err
	}
	origin, slow := &rig.Origin{}, &rig.Origin{Delay: 500 * time.Millisecond}
	for _, o := range []*rig.Origin{origin, slow} {
		if err := g.Origin(o); err != nil {
			return err
		}
	}
	dead, err := rig.Addr()
	if err != nil {
		return err
	}
	silent, err := silence(g)
	if err != nil {
		return err
	}
	sides := []duel.Side{}
	var all []*armed
	for _, c := range []struct{ name, file string }{
		{"no shadow", "experiments: []\n"}, {"dead shadow", mirror(dead)}, {"hanging shadow", mirror(silent)}, {"slow shadow", mirror(slow.Addr)},
	} {
		a, err := splitter(ctx, g, "experiment-"+slug(c.name), origin.Upstream(), c.file, nil)
		if err != nil {
			return err
		}
		all = append(all, a)
		sides = append(sides, duel.Side{Name: c.name, Round: func(ctx context.Context) (duel.Sample, error) { return calls(ctx, r, a.Data, newUsers(1)[0]) }})
	}
	out, err := duel.Run(ctx, duel.Options{Rounds: r.Rounds(), Log: r.Log}, sides...)
	if err != nil {
		return err
	}
	without := milliseconds(out[0].P99())
	bars := chart.Bars{Title: "p99 of users whose requests are copied to a broken shadow", Note: fmt.Sprintf("%d requests/s, all of them copied; dashed: + 1 ms", splitRate), Unit: "ms",
		Rows: []chart.Row{{Label: "no shadow", Value: without, Series: 1}}}
	for i, side := range out[1:] {
		p99 := milliseconds(side.P99())
		r.Claim(proof.AtMost("added at p99 by a "+side.Name, p99-without, 1, "ms"))
		bars.Rows = append(bars.Rows, chart.Row{Label: side.Name, Value: p99, Target: without + 1})
		report, err := all[i+1].report(ctx)
		if err != nil {
			return err
		}
		r.Measured(side.Name+": copies that failed", report.Shadows[0].Verdicts["failed"], "")
		r.Measured(side.Name+": copies that were dropped", report.Shadows[0].Dropped, "")
	}
	r.Table(duelTable(fmt.Sprintf("%d requests/s of 1 KiB", splitRate), out))
	return r.Chart("shadow", bars)
}

// silence accepts connections and says nothing, as a process that was stopped does.
func silence(g *rig.Rig) (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	g.Defer(func() { _ = ln.Close() }) // with all that the kernel has accepted for it
	return ln.Addr().String(), nil
}

// brokenArm kills and pauses the experiment's process under load.
func brokenArm(ctx context.Context, r *proof.Report) error {
	for _, how := range []struct {
		name   string
		signal syscall.Signal
	}{{"killed", syscall.SIGKILL}, {"paused", syscall.SIGSTOP}} {
		if err := breakArm(ctx, r, how.name, how.signal); err != nil {
			return err
		}
	}
	return nil
}

func breakArm(ctx context.Context, r *proof.Report, how string, signal syscall.Signal) error {
	g := rig.New(r)
	defer g.Close()
	if err := g.Build(ctx, "experiment", "dictionary"); err != nil {
		return err
	}
	all, err := g.Dictionaries(ctx, 2, nil)
	if err != nil {
		return err
	}
	a, err := splitter(ctx, g, "experiment-"+how, all[0].Upstream(),
		next("50.00", all[1].Upstream(), "timeout: 500ms", "budget: {errors: 5.00, window: 10s, min_requests: 50}"), nil)
	if err != nil {
		return err
	}
	inside, outside, err := pairOfUsers(ctx, a, word)
	if err != nil {
		return err
	}
	quiet := r.Span(3*time.Second, time.Second)
	loadCtx, stop := context.WithCancel(ctx)
	defer stop()
	type seen struct {
		experiment bool
		result     openloop.Result
	}
	results := make(chan seen, 2)
	for _, user := range []string{inside, outside} {
		go func() { results <- seen{user == inside, words(loadCtx, a.Data, user)} }()
	}
	err = retry.Sleep(ctx, quiet)
	broke := time.Now()
	if err == nil {
		err = syscall.Kill(all[1].PID(), signal)
	}
	var report splitReport
	if err == nil {
		report, err = a.until(ctx, "the experiment is stopped", func(s splitReport) bool { return len(s.Experiments) == 1 && s.Experiments[0].State == "stopped" })
	}
	if err == nil {
		err = retry.Sleep(ctx, quiet)
	}
	stop()
	for range 2 {
		s := <-results
		who := "production's"
		if s.experiment {
			who = "the experiment's"
		}
		r.Claim(proof.Exactly(fmt.Sprintf("%s: failed requests of %s users", how, who), int(s.result.Failed), 0, fmt.Sprintf("of %d", s.result.Sent)))
		r.Measured(fmt.Sprintf("%s: longest wait of %s users", how, who), milliseconds(s.result.Latency.Max()), "ms")
	}
	if err != nil {
		return errors.Join(fmt.Errorf("experiment %s", how), err)
	}
	r.Claim(proof.AtMost(how+": until the experiment was switched off", report.Experiments[0].Stop.At.Sub(broke).Seconds(), 5, "s"))
	r.Log("%s: %s", how, report.Experiments[0].Stop.Reason)
	return nil
}

// word is a page of the dictionary.
const word = "/v1/words/dog"

// words looks a word up as one user until ctx ends.
func words(ctx context.Context, addr, user string) openloop.Result {
	client, err := openloop.Target{URL: "http://" + addr}.Open()
	if err != nil {
		return openloop.Result{Failed: 1, Reasons: map[string]uint64{err.Error(): 1}, Latency: new(hist.Histogram)}
	}
	defer client.Close()
	header := http.Header{"Cookie": {"experiment=" + user}}
	return openloop.Load{Rate: splitRate / 2, Send: func(ctx context.Context, _ int) openloop.Answer {
		return client.Get(ctx, word, header)
	}}.Run(ctx)
}

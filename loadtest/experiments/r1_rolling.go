package experiments

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/loadtest/chart"
	"github.com/flotilla-dev/flotilla/loadtest/openloop"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

const (
	// uncached passes the cache and is never stale: what is answered, a replica
	// has answered in that moment.
	uncached = "/v1/random"
	arrivals = 500 // per second
)

// event is something that is done to a fleet under load.
type event struct {
	name string
	do   func(ctx context.Context) error
}

// timed is an event that has happened.
type timed struct {
	name       string
	begun, end time.Duration // since the load began
}

// under runs a load on the edge, lets the events happen one after the other with
// quiet before, between and after, and returns what users saw.
func under(ctx context.Context, f *rig.Fleet, quiet time.Duration, events ...event) (openloop.Result, []timed, error) {
	client, err := f.Client(openloop.HTTP1)
	if err != nil {
		return openloop.Result{}, nil, err
	}
	defer client.Close()
	if a := client.Get(ctx, uncached, nil); a.Err != nil || a.Status != 200 {
		return openloop.Result{}, nil, fmt.Errorf("first request: status %d, %v", a.Status, a.Err)
	}
	loadCtx, stop := context.WithCancel(ctx)
	defer stop()
	results := make(chan openloop.Result, 1)
	begin := time.Now()
	go func() {
		results <- openloop.Load{Rate: arrivals, Slice: 500 * time.Millisecond, Send: client.Getter(uncached)}.Run(loadCtx)
	}()
	var happened []timed
	for _, e := range events {
		if err = retry.Sleep(ctx, quiet); err != nil {
			break
		}
		at := timed{name: e.name, begun: time.Since(begin)}
		if err = e.do(ctx); err != nil {
			break
		}
		at.end = time.Since(begin)
		happened = append(happened, at)
	}
	if err == nil {
		err = retry.Sleep(ctx, quiet)
	}
	stop()
	result := <-results
	return result, happened, err
}

// kill9 kills a process and waits until the runner has brought it back.
func kill9(f *rig.Fleet, victim string) event {
	return event{"kill -9 " + victim, func(ctx context.Context) error {
		before, err := restarts(ctx, f, victim)
		if err != nil {
			return err
		}
		if err := f.Do(ctx, "kill", victim); err != nil {
			return err
		}
		return f.AwaitReady(ctx, victim, before+1)
	}}
}

func restarts(ctx context.Context, f *rig.Fleet, victim string) (int, error) {
	s, err := f.Status(ctx)
	if err != nil {
		return 0, err
	}
	for _, m := range s.Members {
		if m.Instance == victim {
			return m.Restarts, nil
		}
	}
	return 0, fmt.Errorf("the fleet has no %s", victim)
}

// restart restarts all replicas of a service, one after the other.
func restart(f *rig.Fleet, service string) event {
	return event{"rolling restart", func(ctx context.Context) error { return f.Do(ctx, "restart", service) }}
}

func rolling(ctx context.Context, r *proof.Report) error {
	g := rig.New(r)
	defer g.Close()
	f, err := g.Up(ctx)
	if err != nil {
		return err
	}
	quiet := r.Span(5*time.Second, time.Second)
	for _, run := range []struct {
		name, chart string
		events      []event
	}{
		{"rolling restart of all dictionary replicas", "rolling", []event{restart(f, "dictionary")}},
		{"kill -9 of one replica, three times", "kill", []event{kill9(f, "dictionary-1"), kill9(f, "dictionary-2"), kill9(f, "dictionary-3")}},
	} {
		result, happened, err := under(ctx, f, quiet, run.events...)
		if err != nil {
			return err
		}
		r.Claim(proof.Exactly("failed requests, "+run.name, int(result.Failed), 0, fmt.Sprintf("of %d", result.Sent)))
		reportRun(r, run.name, result, happened)
		if err := r.Chart(run.chart, timeline(run.name, result, happened)); err != nil {
			return err
		}
	}
	r.Note("Open loop: %d requests/s to %s over HTTP/1.1 and TLS through edge and cache, which pass it on every time; latency counts from the intended start. A request that the client's transport sent twice by itself would be counted as resent.", arrivals, uncached)
	return nil
}

// reportRun says what users saw and who answered them.
func reportRun(r *proof.Report, name string, result openloop.Result, happened []timed) {
	r.Measured("p99 during "+name, milliseconds(result.Latency.Quantile(0.99)), "ms")
	r.Measured("longest during "+name, milliseconds(result.Latency.Max()), "ms")
	r.Measured("the generator itself was late by at most", milliseconds(result.Late), "ms")
	r.Measured("resent by the client during "+name, float64(result.Resent), "")
	t := proof.Table{Title: "Answers by replica, " + name, Columns: []string{"replica", "answers"}}
	for _, replica := range slices.Sorted(maps.Keys(result.ByServer)) {
		t.Rows = append(t.Rows, []string{replica, proof.Number(float64(result.ByServer[replica]))})
	}
	for _, reason := range slices.Sorted(maps.Keys(result.Reasons)) {
		t.Rows = append(t.Rows, []string{"failed: " + reason, proof.Number(float64(result.Reasons[reason]))})
	}
	r.Table(t)
	for _, h := range happened {
		r.Measured(h.name+": seconds until all is ready again", (h.end - h.begun).Seconds(), "s")
	}
}

// timeline draws good and failed answers per second.
func timeline(title string, result openloop.Result, happened []timed) chart.Lines {
	l := chart.Lines{Title: title, Note: fmt.Sprintf("%d requests/s, open loop, not cached", arrivals), XUnit: "seconds", YUnit: "answers per second"}
	step := 0.5
	good, failed := chart.Series{Name: "good"}, chart.Series{Name: "failed", Bad: true}
	// The last step is cut short by the end of the load.
	for i, s := range result.Timeline[:max(len(result.Timeline)-1, 0)] {
		x := float64(i) * step
		good.X, good.Y = append(good.X, x), append(good.Y, float64(s.Good)/step)
		failed.X, failed.Y = append(failed.X, x), append(failed.Y, float64(s.Failed)/step)
	}
	l.Series = []chart.Series{good, failed}
	for _, h := range happened {
		l.Marks = append(l.Marks, chart.Mark{X: h.begun.Seconds(), Text: h.name})
		if h.end-h.begun > 2*time.Second {
			l.Marks = append(l.Marks, chart.Mark{X: h.end.Seconds(), Text: "done"})
		}
	}
	return l
}

// control kills a replica while neither cache nor edge may try again: the load and
// the counting must see what retries hide.
func control(ctx context.Context, r *proof.Report) error {
	g := rig.New(r)
	defer g.Close()
	f, err := g.Up(ctx, "cache.RETRY_ATTEMPTS=1", "edge.RETRY_ATTEMPTS=1")
	if err != nil {
		return err
	}
	result, happened, err := under(ctx, f, r.Span(5*time.Second, time.Second), kill9(f, "dictionary-2"))
	if err != nil {
		return err
	}
	r.Claim(proof.AtLeast("failed requests without retries, kill -9 of one replica", float64(result.Failed), 1, fmt.Sprintf("of %d", result.Sent)))
	reportRun(r, "the kill without retries", result, happened)
	return r.Chart("control", timeline("kill -9 of one replica, retries off", result, happened))
}

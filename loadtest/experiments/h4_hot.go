package experiments

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/loadtest/chart"
	"github.com/flotilla-dev/flotilla/loadtest/openloop"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// even is the load of a shard on an ordinary day: three fifths of what a replica can answer.
const even = 0.6 * perReplica

// within is how long the controller has, and window the end of it in which latencies are compared.
const (
	within = 30
	window = 5
)

// hotShard gives one of three shards four times the load of the others, and takes it away again.
func hotShard(ctx context.Context, r *proof.Report) error {
	g := rig.New(r)
	defer g.Close()
	f, err := hotShards(ctx, g, []string{"a", "b", "c"}, 1, nil)
	if err != nil {
		return err
	}
	l, stop, err := f.begun(ctx, 6*even, map[string]float64{"a": even, "b": even, "c": even})
	if err != nil {
		return err
	}
	result, err := f.hotPhases(ctx, r, l, stop)
	if err != nil {
		return err
	}
	if err := f.nothingLost(ctx, r, l, result); err != nil {
		return err
	}
	r.Note("Three shards of one replica each, which answers at most %d requests per second, one after the other; %.0f/s for each shard, then four times that for one. "+
		"Users come at random times. The controller looks every 500 ms, over a window of 5 s.", perReplica, even)
	return nil
}

// hotPhases is the load, and what is claimed of it: even, hot, even again.
func (f *hotFleet) hotPhases(ctx context.Context, r *proof.Report, l *shardLoad, stop func() openloop.Result) (result openloop.Result, err error) {
	stopped := false
	defer func() {
		if !stopped {
			stop()
		}
	}()
	if err := retry.Sleep(ctx, r.Span(15*time.Second, 8*time.Second)); err != nil {
		return result, err
	}
	hot := l.now() + 1
	l.set(map[string]float64{"a": 4 * even})
	if err := retry.Sleep(ctx, time.Duration(within+1)*time.Second); err != nil {
		return result, err
	}
	grown := len(f.scaler.Members("shard-a"))
	if err := retry.Sleep(ctx, r.Span(20*time.Second, 0)); err != nil {
		return result, err
	}
	cold := l.now() + 1
	l.set(map[string]float64{"a": even})
	back, err := f.shrunk(ctx, "shard-a", 1)
	if err != nil {
		return result, err
	}
	end := l.now()
	result, stopped = stop(), true
	worst := 0.0
	for from := hot; from < hot+within-window; from++ {
		worst = math.Max(worst, l.ratio("a", from, from+window))
	}
	r.Measured("worst 99th percentile of the hot shard beside the others", worst, "×")
	r.Measured("replicas of the hot shard 30 s later", float64(grown), "")
	r.Claim(proof.AtMost("99th percentile of the hot shard beside the others, 25 to 30 s after its load grew", l.ratio("a", hot+within-window, hot+within), 1.3, "×"))
	r.Claim(proof.That("replicas of the shard when its load is even again", "1", fmt.Sprintf("1, %.0f s later", back.Seconds()), back > 0))
	if !r.Quick {
		r.Claim(proof.AtMost("… and until it is taken away", l.ratio("a", hot+within, cold), 1.3, "×"))
	}
	return result, r.Chart("hot", l.chart("99th percentile of each shard: a gets four times the load", end, []chart.Mark{{X: float64(hot), Text: "4×"}, {X: float64(cold), Text: "1×"}}))
}

// shrunk waits until a service has so many replicas, and tells how long that took; 0: it did not come.
func (f *hotFleet) shrunk(ctx context.Context, service string, n int) (time.Duration, error) {
	begin := time.Now()
	for time.Since(begin) < 2*time.Minute {
		if len(f.scaler.Members(service)) == n {
			return time.Since(begin), nil
		}
		if err := retry.Sleep(ctx, 100*time.Millisecond); err != nil {
			return 0, err
		}
	}
	return 0, nil
}

// chart draws the 99th percentile of each shard over time.
func (l *shardLoad) chart(title string, end int, marks []chart.Mark) chart.Lines {
	c := chart.Lines{Title: title, Note: "of the requests of each second, from their intended start", XUnit: "s", YUnit: "ms", Marks: marks}
	for _, name := range l.fleet.names {
		s := chart.Series{Name: name}
		for second := range end {
			y := math.NaN()
			if p := l.p99(name, second, second+1); p > 0 {
				y = milliseconds(p)
			}
			s.X, s.Y = append(s.X, float64(second)), append(s.Y, y)
		}
		c.Series = append(c.Series, s)
	}
	return c
}

package experiments

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/loadtest/chart"
	"github.com/flotilla-dev/flotilla/loadtest/openloop"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

const (
	noisyRate = 50 // searches per second
	noisyBy   = 150 * time.Millisecond
	// recoveredWithin is how much longer than before the slowest searches may take when the root has got over it.
	recoveredWithin = 2
)

// noisyNeighbour slows one leaf of several, and looks when users stop to notice.
func noisyNeighbour(ctx context.Context, r *proof.Report) error {
	s, documents, err := filledSearch(ctx, r, searchSpec{name: "noisy", shards: 2, replicas: 2, leaf: map[string]string{"FAULTS": "on"}})
	if err != nil {
		return err
	}
	defer s.rig.Close()
	queries := searchQueries(documents, 1000, 51)
	query := func(n int) url.Values { return queries[n%len(queries)] }
	if err := s.warmUp(ctx, 100, query); err != nil {
		return err
	}
	return s.slowed(ctx, r, query)
}

// slowed loads the root while its first leaf is slow.
func (s *searchRig) slowed(ctx context.Context, r *proof.Report, query func(int) url.Values) error {
	quiet := r.Span(10*time.Second, 3*time.Second)
	loadCtx, stop := context.WithCancel(ctx)
	defer stop()
	results := make(chan openloop.Result, 1)
	begin := time.Now()
	go func() {
		result, _ := s.searchLoad(loadCtx, noisyRate, 0, false, query)
		results <- result
	}()
	victim := s.leaves[0][0]
	var shares [3]float64 // of the victim, among the searches of its shard: before, while it is slow, after
	var slow, fine time.Duration
	err := s.share(ctx, victim, &shares[0], func() error { return retry.Sleep(ctx, quiet) })
	if err == nil {
		slow = time.Since(begin)
		if err = setFaults(ctx, victim, fmt.Sprintf(`[{"path": "/v1/", "fault": "latency", "delay": %q}]`, noisyBy)); err == nil {
			err = s.share(ctx, victim, &shares[1], func() error { return retry.Sleep(ctx, 3*quiet) })
		}
	}
	var away time.Duration
	if err == nil {
		fine = time.Since(begin)
		err = setFaults(ctx, victim, `[]`)
	}
	if err == nil {
		away, err = s.untilUsable(ctx, len(s.leaves[0]))
	}
	if err == nil {
		err = s.share(ctx, victim, &shares[2], func() error { return retry.Sleep(ctx, quiet) })
	}
	stop()
	result := <-results
	if err != nil {
		return err
	}
	r.Measured("until its ejection, the longer the more often it was slow, is over", away.Seconds(), "s")
	return reportNoisy(r, result, slow, fine, shares)
}

// untilUsable waits until the root has so many usable replicas of the first shard, and tells how long that took.
func (s *searchRig) untilUsable(ctx context.Context, replicas int) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute) // the longest ejection is 30 s
	defer cancel()
	begin := time.Now()
	for {
		var status struct {
			Shards []struct{ Usable int } `json:"shards"`
		}
		if err := getJSON(ctx, "http://"+s.root.Data+"/v1/status", &status); err != nil {
			return 0, err
		}
		if len(status.Shards) > 0 && status.Shards[0].Usable == replicas {
			return time.Since(begin), nil
		}
		if err := retry.Sleep(ctx, 50*time.Millisecond); err != nil {
			return 0, fmt.Errorf("the leaf that is quick again is not used: %w", err)
		}
	}
}

func reportNoisy(r *proof.Report, result openloop.Result, slow, fine time.Duration, shares [3]float64) error {
	before := p99s(result, 0, slow)
	limit := recoveredWithin * median(before)
	during := p99s(result, slow, fine)
	recovered := recoveredAfter(during, limit)
	r.Claim(proof.Exactly("failed or incomplete searches", int(result.Failed), 0, fmt.Sprintf("of %d", result.Sent)))
	r.Claim(proof.That("p99 recovers while the leaf is slow", fmt.Sprintf("within %d × %.1f ms again", recoveredWithin, median(before)), fmt.Sprintf("after %.1f s", recovered.Seconds()), recovered >= 0))
	r.Claim(proof.AtMost("share of its shard's calls that the slow leaf gets", 100*shares[1], 25, "%"))
	r.Measured("share before", 100*shares[0], "%")
	r.Claim(proof.AtLeast("share when it is quick again", 100*shares[2], 25, "%"))
	r.Measured("p99 of half a second, the worst while it is slow", worst(during), "ms")
	r.Note("Two shards of two leaves each, %d searches per second; every call to one leaf takes %v longer, as beside a neighbour that takes its processor, in the middle of the load.", noisyRate, noisyBy)
	lines := chart.Lines{Title: "One leaf of four becomes slow", Note: "p99 of half a second", XUnit: "seconds", YUnit: "ms",
		Marks: []chart.Mark{{X: slow.Seconds(), Text: fmt.Sprintf("%v slower", noisyBy)}, {X: fine.Seconds(), Text: "quick again"}}}
	one := chart.Series{Name: "p99"}
	for i, v := range p99s(result, 0, time.Hour) {
		one.X, one.Y = append(one.X, float64(i)/2), append(one.Y, v)
	}
	lines.Series = []chart.Series{one}
	return r.Chart("noisy", lines)
}

// p99s are those of each half second in a part of the load, in milliseconds.
func p99s(result openloop.Result, from, to time.Duration) []float64 {
	var all []float64
	for i, s := range result.Timeline {
		if at := time.Duration(i) * 500 * time.Millisecond; at >= from && at < to && s.Good > 0 {
			all = append(all, milliseconds(s.Latency.Quantile(0.99)))
		}
	}
	return all
}

// recoveredAfter is when p99 is below a limit in nine of ten half seconds from then on, or less than 0: never. The last tenth is no recovery.
func recoveredAfter(halves []float64, limit float64) time.Duration {
	for i := range halves {
		rest, high := halves[i:], 0
		for _, v := range rest {
			if v > limit {
				high++
			}
		}
		if len(rest) < max(len(halves)/3, 2) {
			break
		}
		if halves[i] <= limit && high*10 <= len(rest) {
			return time.Duration(i) * 500 * time.Millisecond
		}
	}
	return -time.Second
}

// setFaults replaces the faults of a process.
func setFaults(ctx context.Context, p *rig.Proc, rules string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, "http://"+p.Admin+"/faults", bytes.NewReader([]byte(rules)))
	if err != nil {
		return err
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("faults of %s: %s", p.Spec.Name, resp.Status)
	}
	return nil
}

// share measures which share of the calls to its shard a leaf gets meanwhile.
func (s *searchRig) share(ctx context.Context, leaf *rig.Proc, into *float64, meanwhile func() error) error {
	before, err := s.callsOf(ctx)
	if err != nil {
		return err
	}
	if err := meanwhile(); err != nil {
		return err
	}
	after, err := s.callsOf(ctx)
	if err != nil {
		return err
	}
	for _, replicas := range s.leaves {
		mine, all := 0.0, 0.0
		for _, p := range replicas {
			n := after[p].since(before[p])
			if all += n; p == leaf {
				mine = n
			}
		}
		if slices.Contains(replicas, leaf) {
			*into = mine / max(all, 1)
		}
	}
	return nil
}

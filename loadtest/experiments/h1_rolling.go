package experiments

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/loadtest/openloop"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// The experiment of the roll-out: what users ask for, and how often.
const rollRate = 800 // requests a second

func rollPages(r *proof.Report) int {
	if r.Quick {
		return 100
	}
	return 300
}

// rollingShards restarts all caches of three shards under load, one after another, with two replicas of each and with one.
func rollingShards(ctx context.Context, r *proof.Report) error {
	g := rig.New(r)
	defer g.Close()
	if err := g.Build(ctx, "cache", "shardproxy"); err != nil {
		return err
	}
	origin := &rig.Origin{}
	if err := g.Origin(origin); err != nil {
		return err
	}
	t := proof.Table{Title: fmt.Sprintf("Every cache restarted at %d requests/s", rollRate), Columns: []string{"", "hit rate before", "while they roll", "change", "worst second", "failed"}}
	rolls := map[int]roll{}
	for _, replicas := range []int{2, 1} {
		out, err := rollOut(ctx, r, g, origin, replicas)
		if err != nil {
			return fmt.Errorf("%d replicas: %w", replicas, err)
		}
		rolls[replicas] = out
		t.Rows = append(t.Rows, []string{fmt.Sprintf("3 shards × %d", replicas), percent(out.before), percent(out.during),
			fmt.Sprintf("%.1f points", out.change()), percent(out.worst), fmt.Sprintf("%d of %d", out.failed, out.sent)})
	}
	r.Claim(proof.AtMost("two replicas: change of the hit rate while all roll", rolls[2].change(), 2, "points"))
	r.Claim(proof.Exactly("two replicas: failed requests", int(rolls[2].failed), 0, fmt.Sprintf("of %d", rolls[2].sent)))
	r.Measured("one replica: change of the hit rate while all roll", rolls[1].change(), "points")
	r.Measured("one replica: failed requests", float64(rolls[1].failed), fmt.Sprintf("of %d", rolls[1].sent))
	r.Table(t)
	r.Note("%d pages that are asked for equally often, all of them in the caches before. A restarted cache is empty, and must fetch the pages of its shard once: with two replicas half of the shard's requests find that; "+
		"with one all of them do, and before that they find the shard that stood in as empty. How large the change is on average is a matter of the pace: here a cache is restarted when the one before has been used again for %v.", rollPages(r), rollPace(r))
	return nil
}

// rollPace is the time between two restarts.
func rollPace(r *proof.Report) time.Duration { return r.Span(8*time.Second, 3*time.Second) }

// A roll is what users saw.
type roll struct {
	before, during, worst float64 // hit rates
	sent, failed          uint64
}

func (o roll) change() float64 { return 100 * (o.before - o.during) }

func rollOut(ctx context.Context, r *proof.Report, g *rig.Rig, origin *rig.Origin, replicas int) (o roll, err error) {
	shards, proxy, client, err := shardedCaches(ctx, g, origin, fmt.Sprintf("of%d", replicas), replicas)
	if err != nil {
		return o, err
	}
	defer proxy.Kill()
	pages := rollPages(r)
	seen := &hitsBySecond{begin: time.Now()}
	send := func(ctx context.Context, _ int) openloop.Answer {
		a := client.Get(ctx, fmt.Sprintf("/1024/page-%d", rand.IntN(pages)), nil)
		seen.count(a)
		return a
	}
	// Warm: each page some twenty times for each replica.
	if _, err := (loop{clients: 8, duration: time.Minute, requests: 40 * pages, send: send}).run(ctx); err != nil {
		return o, fmt.Errorf("warm: %w", err)
	}
	seen.reset()
	before := openloop.Load{Rate: rollRate, Duration: r.Span(5*time.Second, 2*time.Second), Send: send}.Run(ctx)
	if before.Failed > 0 {
		return o, fmt.Errorf("before: %d requests failed: %v", before.Failed, before.Reasons)
	}
	o.before, _ = seen.rates()
	seen.reset()
	result, err := loadWhile(ctx, openloop.Load{Rate: rollRate, Send: send}, func() error { return rollAll(ctx, shards, proxy, rollPace(r)) })
	if err != nil {
		return o, err
	}
	if result.Failed > 0 {
		r.Log("%d replicas: %v", replicas, result.Reasons)
	}
	o.sent, o.failed = result.Sent, result.Failed
	o.during, o.worst = seen.rates()
	for _, replicas := range shards {
		killAll(replicas)
	}
	return o, nil
}

// loadWhile runs a load as long as something is done.
func loadWhile(ctx context.Context, load openloop.Load, do func() error) (openloop.Result, error) {
	loadCtx, stop := context.WithCancel(ctx)
	defer stop()
	results := make(chan openloop.Result, 1)
	go func() { results <- load.Run(loadCtx) }()
	err := do()
	stop()
	return <-results, err
}

// rollAll restarts the first replica of each shard, then the second of each.
func rollAll(ctx context.Context, shards [][]*rig.Proc, proxy *rig.Proc, pace time.Duration) error {
	for n := range shards[0] {
		for _, replicas := range shards {
			p := replicas[n]
			if err := p.Stop(ctx); err != nil {
				return err
			}
			if err := p.Restart(ctx); err != nil {
				return err
			}
			if err := awaitUsable(ctx, proxy); err != nil {
				return err
			}
			if err := retry.Sleep(ctx, pace); err != nil {
				return err
			}
		}
	}
	return nil
}

// hitsBySecond counts answers, and hits among them, by the second in which they came.
type hitsBySecond struct {
	mu        sync.Mutex // guards all below
	begin     time.Time
	all, hits []float64
}

func (h *hitsBySecond) reset() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.begin, h.all, h.hits = time.Now(), nil, nil
}

func (h *hitsBySecond) count(a openloop.Answer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	second := int(time.Since(h.begin) / time.Second)
	for len(h.all) <= second {
		h.all, h.hits = append(h.all, 0), append(h.hits, 0)
	}
	h.all[second]++
	if a.Err == nil && isHit(a.Cache) {
		h.hits[second]++
	}
}

// rates are the hit rate of all, and that of the worst second. One with few answers, as the last may be, is not one.
func (h *hitsBySecond) rates() (rate, worst float64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	all, hits := 0.0, 0.0
	worst = 1
	for i, n := range h.all {
		all, hits = all+n, hits+h.hits[i]
		if n >= rollRate/10 {
			worst = min(worst, h.hits[i]/n)
		}
	}
	return hits / max(all, 1), worst
}

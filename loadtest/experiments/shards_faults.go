package experiments

import (
	"context"
	"fmt"
	"math"
	"syscall"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// The configuration of the ambassador in these experiments is that of the book,
// but for the way in which it is written.
const (
	shardTimeout = 400 * time.Millisecond
	shardRetry   = 2 * time.Second
)

// trouble is what happens to a shard.
type trouble struct {
	begin, end func(ctx context.Context, p *rig.Proc, g *gate) error
	network    bool // it happens between the ambassador and the shard
	failures   bool // whether requests may fail
}

func killedShard() trouble {
	return trouble{
		begin:    func(_ context.Context, p *rig.Proc, _ *gate) error { p.Kill(); return nil },
		end:      func(ctx context.Context, p *rig.Proc, _ *gate) error { return p.Restart(ctx) },
		failures: true,
	}
}

func hungShard() trouble {
	signal := func(s syscall.Signal) func(context.Context, *rig.Proc, *gate) error {
		return func(_ context.Context, p *rig.Proc, _ *gate) error { return syscall.Kill(p.PID(), s) }
	}
	return trouble{begin: signal(syscall.SIGSTOP), end: signal(syscall.SIGCONT), failures: true}
}

func slowShard() trouble {
	delay := func(d time.Duration) func(context.Context, *rig.Proc, *gate) error {
		return func(_ context.Context, _ *rig.Proc, g *gate) error { g.delay.Store(int64(d)); return nil }
	}
	return trouble{begin: delay(100 * time.Millisecond), end: delay(0), network: true}
}

func halfOpenShard() trouble {
	swallow := func(on bool) func(context.Context, *rig.Proc, *gate) error {
		return func(_ context.Context, _ *rig.Proc, g *gate) error { g.swallow.Store(on); return nil }
	}
	return trouble{begin: swallow(true), end: swallow(false), network: true, failures: true}
}

// watchers are clients of each group of keys.
const watchers = 4

// shardFault lets a shard get into trouble while clients use its keys and those
// of the others.
func shardFault(a ambassador, t trouble) func(context.Context, *proof.Report) error {
	return func(ctx context.Context, r *proof.Report) error {
		g := rig.New(r)
		defer g.Close()
		if err := g.Build(ctx, a.program, a.backend); err != nil {
			return err
		}
		var door *gate
		procs, ambassador, err := a.embedded(ctx, g, 3, func(i int, p *rig.Proc) (string, error) {
			if i != 1 || !t.network {
				return p.Data, nil
			}
			var err error
			if door, err = openGate(g, p.Data); err != nil {
				return "", err
			}
			return door.addr, nil
		})
		if err != nil {
			return err
		}
		its, others, err := groups(ctx, ambassador, a.backend)
		if err != nil {
			return err
		}
		w := watch(ctx, func(ctx context.Context) (keeper, error) { return a.dial(ctx, ambassador.Data) }, its, others)
		defer w.stop()
		span := r.Span(6*time.Second, 3*time.Second)
		back, err := live(ctx, t, w, span, ambassador, procs[1], door)
		if err != nil {
			return err
		}
		w.stop()
		return reportFault(r, t, w, span, back)
	}
}

// live lets the trouble begin and end, and tells how long after that the shard
// was back.
func live(ctx context.Context, t trouble, w *watching, span time.Duration, ambassador, shard *rig.Proc, door *gate) (back time.Duration, err error) {
	steps := []struct {
		phase string
		do    func(context.Context, *rig.Proc, *gate) error
		then  time.Duration
	}{{"begin", nil, time.Second}, {"calm", nil, span}, {"trouble", t.begin, span}, {"after", t.end, 0}}
	for _, s := range steps {
		w.phase(s.phase)
		if s.do != nil {
			if err := s.do(ctx, shard, door); err != nil {
				return 0, err
			}
		}
		if err := retry.Sleep(ctx, s.then); err != nil {
			return 0, err
		}
	}
	if back, err = awaitReturn(ctx, ambassador); err != nil {
		return 0, err
	}
	w.phase("back")
	return back, retry.Sleep(ctx, time.Second)
}

func reportFault(r *proof.Report, t trouble, w *watching, span, back time.Duration) error {
	if w.err != nil {
		return w.err
	}
	r.Claim(proof.Exactly("failed requests for keys of the other shards", w.failed("others"), 0, ""))
	r.Claim(proof.AtMost("p99 of the other shards, meanwhile", milliseconds(w.p99("others", "trouble")), 50, "ms"))
	r.Measured("p99 of the other shards, before", milliseconds(w.p99("others", "calm")), "ms")
	// Each client meets the failure once when it begins, and once whenever the
	// shard is tried again, which a retry time and a time-out apart it is.
	most := 0
	if t.failures {
		most = watchers * (1 + int(math.Ceil(float64(span)/float64(shardRetry))))
	}
	r.Claim(proof.AtMost("failed requests for keys of the shard", float64(w.failed("its")), float64(most), fmt.Sprintf("of %d", w.total("its"))))
	r.Claim(proof.AtMost("failed requests after it is back", float64(w.failedIn("its", "back")+w.failedIn("others", "back")), 0, ""))
	if t.failures {
		limit := shardRetry + shardTimeout + time.Second
		r.Claim(proof.AtMost("until its keys are its own again", back.Seconds(), limit.Seconds(), "s"))
	}
	r.Measured("p99 of its keys, meanwhile", milliseconds(w.p99("its", "trouble")), "ms")
	r.Note("%d clients for its keys and %d for the others', one request at a time each; timeout 400 ms, server_failure_limit 1, server_retry_timeout 2000 ms.", watchers, watchers)
	return nil
}

// groups are keys of server1, and of the others.
func groups(ctx context.Context, ambassador *rig.Proc, pool string) (its, others []string, err error) {
	for i := 0; len(its) < 50 || len(others) < 50; i++ {
		key := fmt.Sprint("key-", i)
		var at map[string]string
		if err := getJSON(ctx, "http://"+ambassador.Admin+"/shards?key="+key, &at); err != nil {
			return nil, nil, err
		}
		if at[pool] == "server1" {
			its = append(its, key)
		} else {
			others = append(others, key)
		}
	}
	return its, others, nil
}

// awaitReturn waits until no shard is ejected, and tells how long that took.
func awaitReturn(ctx context.Context, ambassador *rig.Proc) (time.Duration, error) {
	began := time.Now()
	err := until(ctx, "no shard is ejected", func() (bool, error) {
		var pools []struct {
			Shards []struct {
				EjectedUntil *time.Time `json:"ejected_until"`
			} `json:"shards"`
		}
		if err := getJSON(ctx, "http://"+ambassador.Admin+"/shards", &pools); err != nil {
			return false, err
		}
		for _, s := range pools[0].Shards {
			if s.EjectedUntil != nil {
				return false, nil
			}
		}
		return true, nil
	})
	return time.Since(began), err
}

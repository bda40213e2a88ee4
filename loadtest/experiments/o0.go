package experiments

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/openloop"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

func o0() proof.Pattern {
	return proof.Pattern{ID: "O0", Title: "Do you need ownership election at all?", Page: "o0-singleton.md", Experiments: []proof.Experiment{
		{Name: "nines", Question: "For how long is a singleton away when it crashes, hangs, loses its node or is rolled out, and what do users of three replicas see of the same?", Run: nines},
	}}
}

// orchestrator is what would restart a process, with its parameters.
type orchestrator struct {
	period, timeout time.Duration // of the liveness probe
	failures        int           // in a row, after which the process is killed
	lost            time.Duration // after which a silent node is given up, and what ran there is started elsewhere
}

// mishap is one cause of downtime.
type mishap struct {
	name  string
	times int // a year, assumed
	often string
	do    func(ctx context.Context, o orchestrator, p *rig.Proc) error // returns when it is ready again
}

func mishaps() []mishap {
	return []mishap{
		{"crash", 52, "weekly", crashed},
		{"hang", 12, "monthly", hung},
		{"loss of the node", 2, "twice a year", nodeLost},
		{"daily roll-out", 365, "daily", rolledOut},
		{"hourly roll-out", 365 * 24, "hourly", rolledOut},
	}
}

// crashed kills the process; it is started again as soon as its end is seen. Its files are there.
func crashed(ctx context.Context, _ orchestrator, p *rig.Proc) error {
	p.Kill()
	return p.Restart(ctx)
}

// hung stops the process where it is, as a deadlock would, until its probes have failed often enough.
func hung(ctx context.Context, o orchestrator, p *rig.Proc) error {
	if err := p.Pause(ctx); err != nil {
		return err
	}
	for failures := 0; failures < o.failures; {
		begin := time.Now()
		if alive(ctx, o.timeout, p) {
			failures = 0
		} else {
			failures++
		}
		if err := pause(ctx, max(0, o.period-time.Since(begin))); err != nil {
			return err
		}
	}
	p.Kill()
	return p.Restart(ctx)
}

// alive asks as the orchestrator does.
func alive(ctx context.Context, timeout time.Duration, p *rig.Proc) bool {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	client, err := plain(p.Admin)
	if err != nil {
		return false
	}
	defer client.Close()
	a := client.Get(ctx, "/livez", nil)
	return a.Err == nil && a.Status == 200
}

// nodeLost takes the process and its files away. Nobody can see whether a silent node is
// gone or only slow: it is given up after a while, and what ran there begins elsewhere
// with nothing, under the address that users know.
func nodeLost(ctx context.Context, o orchestrator, p *rig.Proc) error {
	p.Kill()
	if err := os.RemoveAll(p.Spec.Env["DICTIONARY_CACHE_DIR"]); err != nil {
		return err
	}
	if err := pause(ctx, o.lost); err != nil {
		return err
	}
	return p.Restart(ctx)
}

// rolledOut stops the process in order and starts a new version, which has to download again.
func rolledOut(ctx context.Context, _ orchestrator, p *rig.Proc) error {
	if err := p.Stop(ctx); err != nil {
		return err
	}
	if err := os.RemoveAll(p.Spec.Env["DICTIONARY_CACHE_DIR"]); err != nil {
		return err
	}
	return p.Restart(ctx)
}

// nines does the same to a singleton and to one of three replicas.
func nines(ctx context.Context, r *proof.Report) error {
	g := rig.New(r)
	defer g.Close()
	o := orchestrator{period: time.Second, timeout: time.Second, failures: 3, lost: r.Span(40*time.Second, 3*time.Second)}
	single, replicas, cache, err := bothWays(ctx, g)
	if err != nil {
		return err
	}
	quiet := r.Span(3*time.Second, time.Second)
	var rows [][]string
	year := map[string]float64{} // seconds of downtime, by side
	for _, t := range mishaps() {
		alone, down, err := downDuring(ctx, single.Data, quiet, func(ctx context.Context) error { return t.do(ctx, o, single) })
		if err != nil {
			return fmt.Errorf("singleton, %s: %w", t.name, err)
		}
		three, _, err := downDuring(ctx, cache.Data, quiet, func(ctx context.Context) error { return mishapOfReplicas(ctx, o, t, replicas) })
		if err != nil {
			return fmt.Errorf("replicas, %s: %w", t.name, err)
		}
		r.Claim(proof.AtLeast("requests that the singleton fails, "+t.name, float64(alone.Failed), 1, fmt.Sprintf("of %d", alone.Sent)))
		r.Claim(proof.Exactly("requests that three replicas fail, "+t.name, int(three.Failed), 0, fmt.Sprintf("of %d", three.Sent)))
		lost := lostTime(three)
		year["singleton"] += down.Seconds() * float64(t.times)
		year["three replicas"] += lost.Seconds() * float64(t.times)
		rows = append(rows, []string{t.name, t.often, fmt.Sprintf("%.2f s", down.Seconds()), available(down.Seconds() * float64(t.times)),
			fmt.Sprintf("%.2f s", lost.Seconds()), available(lost.Seconds() * float64(t.times)), fmt.Sprintf("%.0f ms", milliseconds(three.Latency.Max()))})
	}
	r.Table(proof.Table{Title: "Downtime of each cause, and what it leaves of a year", Rows: rows,
		Columns: []string{"cause", "assumed", "singleton: each", "available", "three replicas: each", "available", "longest answer"}})
	r.Measured("all of them together, singleton: available", share(year["singleton"])*100, "%")
	r.Measured("all of them together, three replicas: available", share(year["three replicas"])*100, "%")
	r.Note("A hang is seen by %d probes in a row, each %s after the other; a node is given up after %s. The defaults of Kubernetes are 3 probes every 10 s, and 40 s and another 5 min for a node: the singleton is then away for at least 20 s and for 5 min 40 s.", o.failures, o.period, o.lost)
	r.Note("The singleton downloads its data over loopback: on a network add the transfer, and the start of the container. What three replicas fail is counted as time: failed requests by %d requests/s.", arrivals)
	return nil
}

// mishapOfReplicas befalls one of them; a roll-out all, one after the other.
func mishapOfReplicas(ctx context.Context, o orchestrator, t mishap, replicas []*rig.Proc) error {
	victims := replicas[1:2]
	if t.times >= 365 {
		victims = replicas
	}
	for _, p := range victims {
		if err := t.do(ctx, o, p); err != nil {
			return err
		}
		// Whoever asks must have seen that it is back before the next one goes.
		if err := pause(ctx, 2*time.Second); err != nil {
			return err
		}
	}
	return nil
}

// bothWays starts a singleton, and three replicas behind a cache that passes every
// request on. Each keeps what it downloads in a folder of its own.
func bothWays(ctx context.Context, g *rig.Rig) (single *rig.Proc, replicas []*rig.Proc, cache *rig.Proc, err error) {
	if err := g.Build(ctx, "dictionary", "content", "cache"); err != nil {
		return nil, nil, nil, err
	}
	data, err := g.Content(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	for _, name := range []string{"singleton", "dictionary-1", "dictionary-2", "dictionary-3"} {
		p, err := g.Service(ctx, "dictionary", name, map[string]string{
			"DICTIONARY_DATA_URL": data, "DICTIONARY_CACHE_DIR": filepath.Join(g.Dir, name), "LOG_LEVEL": "WARN", "DRAIN_DELAY": "3s"})
		if err != nil {
			return nil, nil, nil, err
		}
		replicas = append(replicas, p)
	}
	single, replicas = replicas[0], replicas[1:]
	cache, err = cacheBefore(ctx, g, "cache", rig.Upstreams(replicas...), map[string]string{"CACHE_POLICY_FILE": g.Policy(), "CACHE_ACCESS_LOG": "0"})
	return single, replicas, cache, err
}

// lostTime is for how long nobody would have been answered, had the failed requests been all.
func lostTime(result openloop.Result) time.Duration {
	return time.Duration(float64(result.Failed) / arrivals * float64(time.Second))
}

const yearSeconds = 365 * 24 * 3600

// share of a year that is left of it, less so many seconds.
func share(down float64) float64 { return 1 - down/yearSeconds }

// available writes that share with its nines.
func available(down float64) string {
	if down == 0 {
		return "100 %"
	}
	digits := int(math.Ceil(-math.Log10(down/yearSeconds))) + 1
	return fmt.Sprintf("%.*f %%, %.1f nines", max(digits-2, 1), share(down)*100, -math.Log10(down/yearSeconds))
}

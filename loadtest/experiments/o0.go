package experiments

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
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
	do    func(ctx context.Context, o orchestrator, p *rig.Proc) error // returns when it is ready again
	every bool                                                         // replica has it, one after the other; else one
	rates []rate
}

// rate is how often it is assumed to happen.
type rate struct {
	name  string
	times int // a year
}

func mishaps() []mishap {
	return []mishap{
		{"crash", crashed, false, []rate{{"weekly", 52}}},
		{"hang", hung, false, []rate{{"monthly", 12}}},
		{"loss of the node", nodeLost, false, []rate{{"twice a year", 2}}},
		{"roll-out", rolledOut, true, []rate{{"daily", 365}, {"hourly", 365 * 24}}},
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
		if err := retry.Sleep(ctx, max(0, o.period-time.Since(begin))); err != nil {
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
	if err := retry.Sleep(ctx, o.lost); err != nil {
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

// kubernetesLost is after how long Kubernetes gives a silent node up by default: 40 s until
// it is called unreachable, and 5 min that pods tolerate it.
const kubernetesLost = 40*time.Second + 5*time.Minute

// nines does the same to a singleton and to three replicas.
func nines(ctx context.Context, r *proof.Report) error {
	g := rig.New(r)
	defer g.Close()
	o := orchestrator{period: time.Second, timeout: time.Second, failures: 3, lost: r.Span(10*time.Second, 3*time.Second)}
	s, err := bothWays(ctx, g)
	if err != nil {
		return err
	}
	table := proof.Table{Title: "Downtime of each cause (median), and what it leaves of a year",
		Columns: []string{"cause", "assumed", "singleton: each", "available", "three replicas: each", "available", "longest answer"}}
	for _, m := range mishaps() {
		down, lost, longest, err := s.befall(ctx, r, o, m)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		row := func(name string, often rate, down time.Duration) []string {
			return []string{name, often.name, seconds(down), available(down * time.Duration(often.times)),
				seconds(lost), available(lost * time.Duration(often.times)), fmt.Sprintf("%.0f ms", milliseconds(longest))}
		}
		for _, often := range m.rates {
			table.Rows = append(table.Rows, row(m.name, often, down))
			if m.name == "loss of the node" {
				table.Rows = append(table.Rows, row("the same, as late as Kubernetes sees it (computed)", often, down-o.lost+kubernetesLost))
			}
		}
	}
	r.Table(table)
	r.Note("A hang is seen by %d probes in a row, %s apart; a node is given up after %s. By default Kubernetes asks three times, 10 s apart, and gives a node up after %s.", o.failures, o.period, o.lost, kubernetesLost)
	r.Note("Data are downloaded over loopback: on a network add the transfer, and the start of the container. What three replicas fail is counted as time: failed requests by %d requests/s.", arrivals)
	return nil
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

// befall lets a mishap happen to both sides, some times each, and claims what users saw.
func (s *sides) befall(ctx context.Context, r *proof.Report, o orchestrator, m mishap) (down, lost, longest time.Duration, err error) {
	rounds, quiet := min(r.Rounds(), 3), r.Span(3*time.Second, time.Second)
	var downs, losts []time.Duration
	var alone, three openloop.Result // sums
	for range rounds {
		one, down, err := downDuring(ctx, s.single.Data, quiet, func(ctx context.Context) error { return m.do(ctx, o, s.single) })
		if err != nil {
			return 0, 0, 0, fmt.Errorf("singleton: %w", err)
		}
		all, _, err := downDuring(ctx, s.cache.Data, quiet, func(ctx context.Context) error { return s.befallReplicas(ctx, o, m) })
		if err != nil {
			return 0, 0, 0, fmt.Errorf("replicas: %w", err)
		}
		downs, losts = append(downs, down), append(losts, time.Duration(float64(all.Failed)/arrivals*float64(time.Second)))
		alone.Sent, alone.Failed = alone.Sent+one.Sent, alone.Failed+one.Failed
		three.Sent, three.Failed = three.Sent+all.Sent, three.Failed+all.Failed
		longest = max(longest, all.Latency.Max())
	}
	r.Claim(proof.AtLeast("requests that the singleton fails, "+m.name, float64(alone.Failed), 1, fmt.Sprintf("of %d", alone.Sent)))
	r.Claim(proof.Exactly("requests that three replicas fail, "+m.name, int(three.Failed), 0, fmt.Sprintf("of %d", three.Sent)))
	slices.Sort(downs)
	slices.Sort(losts)
	return downs[rounds/2], losts[rounds/2], longest, nil
}

// befallReplicas does it to one of them, or to all, one after the other.
func (s *sides) befallReplicas(ctx context.Context, o orchestrator, m mishap) error {
	victims := s.replicas[:1]
	if m.every {
		victims = s.replicas
	}
	for _, p := range victims {
		if err := m.do(ctx, o, p); err != nil {
			return err
		}
		// Whoever asks must have seen that it is back before the next one goes.
		if err := retry.Sleep(ctx, 2*time.Second); err != nil {
			return err
		}
	}
	return nil
}

// sides are a singleton, and three replicas behind a cache that passes every request on.
type sides struct {
	single, cache *rig.Proc
	replicas      []*rig.Proc
}

// bothWays starts both sides. Each process keeps what it downloads in a folder of its own.
func bothWays(ctx context.Context, g *rig.Rig) (*sides, error) {
	if err := g.Build(ctx, "dictionary", "content", "cache"); err != nil {
		return nil, err
	}
	data, err := g.Content(ctx)
	if err != nil {
		return nil, err
	}
	var all []*rig.Proc
	for _, name := range []string{"singleton", "dictionary-1", "dictionary-2", "dictionary-3"} {
		p, err := g.Service(ctx, "dictionary", name, map[string]string{
			"DICTIONARY_DATA_URL": data, "DICTIONARY_CACHE_DIR": filepath.Join(g.Dir, name), "LOG_LEVEL": "WARN", "DRAIN_DELAY": "3s"})
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	s := &sides{single: all[0], replicas: all[1:]}
	s.cache, err = cacheBefore(ctx, g, "cache", rig.Upstreams(s.replicas...), map[string]string{"CACHE_POLICY_FILE": g.Policy(), "CACHE_ACCESS_LOG": "0"})
	return s, err
}

// available writes what so much downtime leaves of a year, and its nines.
func available(down time.Duration) string {
	if down == 0 {
		return "100 %"
	}
	lost := down.Seconds() / (365 * 24 * 3600)
	nines := -math.Log10(lost)
	return fmt.Sprintf("%.*f %%, %.1f nines", max(int(math.Ceil(nines))-1, 1), (1-lost)*100, nines)
}

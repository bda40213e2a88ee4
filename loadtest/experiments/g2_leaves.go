package experiments

import (
	"context"
	"fmt"
	"net/url"
	"runtime"
	"slices"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/chart"
	"github.com/flotilla-dev/flotilla/loadtest/machine"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
	"github.com/flotilla-dev/flotilla/loadtest/scattersim"
)

// simulatorTolerance is how far the simulator may be from the measured mean, with each number of leaves.
const simulatorTolerance = 0.35

func bestNumberOfLeaves(ctx context.Context, r *proof.Report) error {
	most := 0
	if r.Quick {
		most = 20_000
	}
	documents, err := searchCorpus(r.Root, most)
	if err != nil {
		return err
	}
	queries := heavyQueries(documents, 200)
	g := rig.New(r)
	defer g.Close()
	kafka, err := newLog(ctx, g)
	if err != nil {
		return err
	}
	var all []leavesRun
	for _, leaves := range leafCounts {
		run, err := runLeaves(ctx, g, kafka, leaves, documents, queries, r.Span(20*time.Second, 3*time.Second))
		if err != nil {
			return err
		}
		all = append(all, run)
		r.Log("%d leaves: p50 %s, mean %s", leaves, millis(run.p50), millis(run.mean))
	}
	model := fitted(all)
	t := proof.Table{Title: "One search after the other, for two prefixes and a word", Columns: []string{"leaves", "searches", "p50", "p99", "mean", "simulated mean", "processor time of leaves", "of the root"}}
	best := all[0]
	for _, run := range all {
		model.Leaves = run.leaves
		sim := model.Run()
		t.Rows = append(t.Rows, []string{fmt.Sprint(run.leaves), fmt.Sprint(run.searches), millis(run.p50), millis(run.p99), millis(run.mean), millis(sim.Mean()), millis(run.leafCPU), millis(run.rootCPU)})
		r.Claim(proof.Within(fmt.Sprintf("simulated mean latency, %d leaves, beside the measured one", run.leaves), milliseconds(sim.Mean()), milliseconds(run.mean), simulatorTolerance, "ms"))
		if run.p50 < best.p50 {
			best = run
		}
	}
	r.Table(t)
	r.Measured("best number of leaves on this machine, for the median", float64(best.leaves), fmt.Sprintf("of %v", leafCounts))
	r.Measured("overhead of a call at a leaf", milliseconds(model.Overhead), "ms of a processor")
	r.Measured("work of a search on all documents", milliseconds(model.Work), "ms of a processor")
	r.Measured("cost of a call at the root", milliseconds(model.Gather), "ms of a processor")
	r.Note("The simulator is given no latency but processor times, fitted by a straight line over the numbers of leaves: what a search costs all leaves is overhead × leaves + work, and what it costs the root is gather × leaves + a constant. Processor times are means, so it is means that are compared. Both phases of a search count as one call.")
	return beyond(r, model)
}

// heavyQueries are for words that many documents have: those in which there is work to divide.
func heavyQueries(documents []searchDocument, n int) []url.Values {
	q := drawer{Rand: seeded(31), documents: documents}
	var all []url.Values
	for range n {
		v := ask(q.one()[:3] + "* OR " + q.one()[:3] + "* OR " + q.one())
		v.Set("limit", "10")
		all = append(all, v)
	}
	return all
}

// leavesRun is what was measured with a number of leaves.
type leavesRun struct {
	leaves, searches int
	p50, p99, mean   time.Duration
	leafCPU, rootCPU time.Duration // for each search
}

func runLeaves(ctx context.Context, g *rig.Rig, kafka *rig.Proc, leaves int, documents []searchDocument, queries []url.Values, span time.Duration) (leavesRun, error) {
	run := leavesRun{leaves: leaves}
	s, err := newSearch(ctx, g, kafka, searchSpec{name: fmt.Sprintf("leaves-%d", leaves), shards: leaves})
	if err != nil {
		return run, err
	}
	defer s.stop()
	if err := s.fill(ctx, documents); err != nil {
		return run, err
	}
	query := func(n int) url.Values { return queries[n%len(queries)] }
	if err := s.warmUp(ctx, 100, query); err != nil {
		return run, err
	}
	leafBefore, rootBefore, err := s.cpu()
	if err != nil {
		return run, err
	}
	var latencies []time.Duration
	for begin := time.Now(); time.Since(begin) < span; {
		sent := time.Now()
		if _, err := s.found(ctx, query(len(latencies))); err != nil {
			return run, err
		}
		latencies = append(latencies, time.Since(sent))
	}
	leafAfter, rootAfter, err := s.cpu()
	if err != nil {
		return run, err
	}
	n := len(latencies)
	slices.Sort(latencies)
	run.mean = meanOf(latencies)
	run.searches, run.p50, run.p99 = n, latencies[n/2], latencies[n*99/100]
	run.leafCPU, run.rootCPU = (leafAfter-leafBefore)/time.Duration(n), (rootAfter-rootBefore)/time.Duration(n)
	return run, nil
}

func meanOf(all []time.Duration) time.Duration {
	sum := time.Duration(0)
	for _, d := range all {
		sum += d
	}
	return sum / time.Duration(max(len(all), 1))
}

// cpu is the processor time that leaves and root have used.
func (s *searchRig) cpu() (leaves, root time.Duration, err error) {
	if root, err = machine.CPU(s.root.PID()); err != nil {
		return 0, 0, err
	}
	for _, p := range s.all() {
		one, err := machine.CPU(p.PID())
		if err != nil {
			return 0, 0, err
		}
		leaves += one
	}
	return leaves, root, nil
}

// fitted is the simulator's configuration that costs what was measured.
func fitted(all []leavesRun) scattersim.Config {
	var n, leaf, root []float64
	for _, run := range all {
		n, leaf, root = append(n, float64(run.leaves)), append(leaf, float64(run.leafCPU)), append(root, float64(run.rootCPU))
	}
	overhead, work := line(n, leaf)
	gather, constant := line(n, root)
	return scattersim.Config{
		Requests: 500, Cores: runtime.NumCPU(), Seed: 1, Overhead: positive(overhead), Work: positive(work), Gather: positive(gather), Request: positive(constant),
	}
}

// positive is a time that noise has not made negative.
func positive(v float64) time.Duration { return time.Duration(max(v, 0)) }

// line is the straight line that is nearest to points, by least squares.
func line(x, y []float64) (slope, constant float64) {
	var sx, sy, sxx, sxy float64
	n := float64(len(x))
	for i := range x {
		sx, sy, sxx, sxy = sx+x[i], sy+y[i], sxx+x[i]*x[i], sxy+x[i]*y[i]
	}
	slope = (n*sxy - sx*sy) / (n*sxx - sx*sx)
	return slope, (sy - slope*sx) / n
}

// beyond shows what the simulator says of more leaves than this machine has processors for.
func beyond(r *proof.Report, model scattersim.Config) error {
	model.Cores, model.Work = 0, 100*model.Work
	smooth := model.Sweep(beyondLeaves, 50_000, 50)
	model.Slow, model.SlowBy = 0.01, 100*time.Millisecond
	straggling := model.Sweep(beyondLeaves, 50_000, 50)
	t := proof.Table{Title: "Simulated: a corpus 100 times as large, a processor for each leaf", Columns: []string{"leaves", "p50", "p99", "with 1 % of the calls 100 ms slower: p50", "p99"}}
	lines := chart.Lines{Title: "Leaves, and how long the median search takes", Note: "simulated: a corpus 100 times as large, a processor for each leaf", XUnit: "leaves", YUnit: "ms"}
	plain, slow := chart.Series{Name: "no stragglers"}, chart.Series{Name: "1 % of the calls 100 ms slower", Bad: true}
	for i, row := range smooth {
		t.Rows = append(t.Rows, []string{fmt.Sprint(row.Leaves), millis(row.Quantile(0.5)), millis(row.Quantile(0.99)), millis(straggling[i].Quantile(0.5)), millis(straggling[i].Quantile(0.99))})
		plain.X, plain.Y = append(plain.X, float64(row.Leaves)), append(plain.Y, milliseconds(row.Quantile(0.5)))
		slow.X, slow.Y = append(slow.X, float64(row.Leaves)), append(slow.Y, milliseconds(straggling[i].Quantile(0.5)))
	}
	r.Table(t)
	lines.Series = []chart.Series{plain, slow}
	one, _ := scattersim.Best(smooth, 0.5)
	two, _ := scattersim.Best(straggling, 0.5)
	r.Measured("simulated best number of leaves, for the median", float64(one), "")
	r.Measured("simulated best number of leaves with stragglers, for the median", float64(two), "")
	return r.Chart("leaves", lines)
}

var beyondLeaves = []int{1, 2, 5, 10, 20, 30, 50, 70, 100, 150, 200, 300, 500, 1000}

package experiments

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/placing"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
)

// lookUps times look-ups of hashes that are known: what a function costs, not the hash of the key.
func lookUps(ctx context.Context, r *proof.Report) error {
	t := proof.Table{Title: "Nanoseconds a look-up, medians", Columns: []string{"function", "10 shards", "100", "1,000"}}
	sizes := []int{10, 100, 1000}
	rows := map[string][]string{}
	var names []string
	for _, n := range sizes {
		all, err := placing.Functions(placing.Shards(n))
		if err != nil {
			return err
		}
		for _, f := range all {
			ns, allocations, err := timeLookUp(ctx, r, f, n)
			if err != nil {
				return err
			}
			if n == sizes[0] {
				names = append(names, f.Name)
				r.Claim(proof.AtMost(f.Name+": a look-up among ten shards", ns, 1000, "ns"))
				r.Claim(proof.AtMost(f.Name+": allocations of a look-up", allocations, 0.01, ""))
			}
			rows[f.Name] = append(rows[f.Name], fmt.Sprintf("%.0f", ns))
		}
	}
	for _, name := range names {
		t.Rows = append(t.Rows, append([]string{name}, rows[name]...))
	}
	r.Table(t)
	r.Note("rendezvous asks every shard, jump the logarithm of their number, nginx searches its points; the others look into a table. With bounded loads: all loads at the mean, none at its bound, so the first shard takes it.")
	return nil
}

// timeLookUp is the median time of a look-up, and its allocations.
func timeLookUp(ctx context.Context, r *proof.Report, f placing.Function, n int) (ns, allocations float64, err error) {
	const calls = 100_000
	load := func(int) int64 { return 100 }
	all := int64(n) * 100
	hash, sum := uint64(0), 0
	step := func() {
		hash += 0x9e3779b97f4a7c15
		if f.Bounded != nil {
			sum += f.Bounded.First(hash, all, load, nil)
		} else {
			sum += f.Order.First(hash, nil)
		}
	}
	var rounds []float64
	var before, after runtime.MemStats
	for range 2*r.Rounds() + 1 {
		if err := ctx.Err(); err != nil {
			return 0, 0, err
		}
		runtime.ReadMemStats(&before)
		begin := time.Now()
		for range calls {
			step()
		}
		rounds = append(rounds, float64(time.Since(begin).Nanoseconds())/calls)
		runtime.ReadMemStats(&after)
	}
	if sum < 0 {
		return 0, 0, fmt.Errorf("%s: no shard was found", f.Name)
	}
	slices.Sort(rounds)
	return rounds[len(rounds)/2], float64(after.Mallocs-before.Mallocs) / calls, nil
}

package experiments

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/chart"
	"github.com/flotilla-dev/flotilla/loadtest/openloop"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// The experiment of placement: pages of one size, all asked for equally often, and
// memory for a fifth of them if nothing were kept twice.
const (
	pageSize  = 64 << 10
	pages     = 3200
	totalMem  = 80 << 20
	sidecars  = 10
	tierSize  = 2
	zipfPower = 1.0
)

// placement gives ten sidecars, then two tier caches, the same memory in sum. Each
// request goes to one of them at random, as behind a balancer.
func placement(ctx context.Context, r *proof.Report) error {
	g := rig.New(r)
	defer g.Close()
	if err := g.Build(ctx, "cache"); err != nil {
		return err
	}
	origin := &rig.Origin{}
	if err := g.Origin(origin); err != nil {
		return err
	}
	t := proof.Table{Title: fmt.Sprintf("%d pages of %d KiB, %d MiB of memory in sum", pages, pageSize>>10, totalMem>>20),
		Columns: []string{"placement", "each", "popularity", "hit rate", "theory", "what theory"}}
	rates := map[string]float64{}
	for _, n := range []int{sidecars, tierSize} {
		label := map[int]string{sidecars: "ten sidecars", tierSize: "two in a tier"}[n]
		for _, popularity := range []string{"uniform", "zipf"} {
			measured, weight, err := spread(ctx, r, g, origin, n, popularity)
			if err != nil {
				return err
			}
			theory, name := theoryOf(popularity, float64(totalMem/n)/weight)
			t.Rows = append(t.Rows, []string{label, fmt.Sprintf("%d MiB", totalMem/n>>20), popularity, percent(measured), percent(theory), name})
			rates[label+popularity] = measured
			if popularity == "uniform" {
				r.Claim(proof.Within("hit rate of "+label+", all pages equally popular", measured*100, theory*100, 0.03, "%"))
			}
		}
	}
	r.Table(t)
	r.Note("Theory for equally popular pages: memory of one cache ÷ weight of all pages, whatever the cache does; a page weighs its body and what the cache needs to find it. " +
		"For Zipf popularity the lower line is LRU by Che's approximation and the upper the best that any cache without foresight can do: the most popular pages, always kept.")
	return r.Chart("placement", chart.Bars{Title: "The same memory in ten sidecars and in two tier caches", Note: "pages equally popular", Unit: "hit rate, %", Rows: []chart.Row{
		{Label: "ten sidecars", Value: rates["ten sidecarsuniform"] * 100, Series: 1}, {Label: "two in a tier", Value: rates["two in a tieruniform"] * 100},
	}})
}

func percent(v float64) string { return fmt.Sprintf("%.1f %%", v*100) }

// spread measures the hit rate of n caches that share the total memory and the
// traffic, and what a stored page weighs with what is needed to find it.
func spread(ctx context.Context, r *proof.Report, g *rig.Rig, origin *rig.Origin, n int, popularity string) (rate, weight float64, err error) {
	clients := make([]*openloop.Client, n)
	admin := ""
	for i := range clients {
		p, err := cacheBefore(ctx, g, fmt.Sprintf("cache-%s-%dof%d", popularity, i+1, n), origin.Upstream(), map[string]string{
			"CACHE_MEMORY": fmt.Sprintf("%dKiB", totalMem/n>>10), "CACHE_ACCESS_LOG": "0",
		})
		if err != nil {
			return 0, 0, err
		}
		defer p.Kill()
		admin = p.Admin
		if clients[i], err = plain(p.Data); err != nil {
			return 0, 0, err
		}
		defer clients[i].Close()
	}
	pick := picker(popularity)
	send := func(ctx context.Context, _ int) openloop.Answer {
		return clients[rand.IntN(n)].Get(ctx, fmt.Sprintf("/%d/page-%d", pageSize, pick()), nil)
	}
	// A cache is full after a few times its room, and counts from then on; 600,000
	// requests make a share of 4 % certain to a hundredth of itself.
	warm, requests := 60_000, 200_000*int(math.Sqrt(float64(n)))
	if r.Quick {
		warm, requests = 8_000, 10_000
	}
	if _, err := (loop{clients: 16, duration: 10 * time.Minute, requests: warm, send: send}).run(ctx); err != nil {
		return 0, 0, fmt.Errorf("warm %d caches: %w", n, err)
	}
	result, err := loop{clients: 16, duration: 10 * time.Minute, requests: requests, send: send}.run(ctx)
	if err != nil {
		return 0, 0, fmt.Errorf("measure %d caches: %w", n, err)
	}
	r.Log("%d caches, %s: %.2f %% hits of %d requests", n, popularity, result.hitRate()*100, result.good)
	weight, err = pageWeight(ctx, admin)
	return result.hitRate(), weight, err
}

// pageWeight asks a cache what it holds.
func pageWeight(ctx context.Context, admin string) (float64, error) {
	var held struct{ Resources, Bytes float64 }
	if err := getJSON(ctx, "http://"+admin+"/v1/stats", &held); err != nil || held.Resources == 0 {
		return 0, fmt.Errorf("ask the cache what it holds: %+v, %w", held, err)
	}
	return held.Bytes / held.Resources, nil
}

// picker returns a source of page numbers.
func picker(popularity string) func() int {
	if popularity == "uniform" {
		return func() int { return rand.IntN(pages) }
	}
	sums := make([]float64, pages)
	total := 0.0
	for i, w := range zipf() {
		total += w
		sums[i] = total
	}
	return func() int {
		x := rand.Float64() * total
		low, high := 0, pages-1
		for low < high {
			if middle := (low + high) / 2; sums[middle] < x {
				low = middle + 1
			} else {
				high = middle
			}
		}
		return low
	}
}

// zipf is the popularity of the pages, most popular first; it sums to 1.
func zipf() []float64 {
	weights := make([]float64, pages)
	total := 0.0
	for i := range weights {
		weights[i] = 1 / math.Pow(float64(i+1), zipfPower)
		total += weights[i]
	}
	for i := range weights {
		weights[i] /= total
	}
	return weights
}

// theoryOf is the hit rate of a cache that holds room pages, by arithmetic.
func theoryOf(popularity string, room float64) (float64, string) {
	if popularity == "uniform" {
		return room / pages, "memory ÷ weight of all pages"
	}
	weights := zipf()
	best := 0.0
	for _, w := range weights[:int(room)] {
		best += w
	}
	return best, fmt.Sprintf("most popular kept (LRU: %s)", percent(che(weights, room)))
}

// che is the hit rate of LRU by Che's approximation: a page is in the cache when it
// was asked for within the characteristic time T, which fills the cache.
func che(weights []float64, room float64) float64 {
	low, high := 0.0, 1e9
	for range 200 {
		t := (low + high) / 2
		held := 0.0
		for _, w := range weights {
			held += 1 - math.Exp(-w*t)
		}
		if held < room {
			low = t
		} else {
			high = t
		}
	}
	rate := 0.0
	for _, w := range weights {
		rate += w * (1 - math.Exp(-w*low))
	}
	return rate
}

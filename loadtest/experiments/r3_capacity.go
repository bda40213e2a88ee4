package experiments

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/chart"
	"github.com/flotilla-dev/flotilla/loadtest/machine"
	"github.com/flotilla-dev/flotilla/loadtest/openloop"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// capacity limits a dictionary to 1,000 requests/s and asks for as much as it gives,
// first directly, then through a cache with every second request a hit.
func capacity(ctx context.Context, r *proof.Report) error {
	const limit = 1000
	g := rig.New(r)
	defer g.Close()
	if err := g.Build(ctx, "cache", "dictionary"); err != nil {
		return err
	}
	tier, err := g.Dictionaries(ctx, 1, map[string]string{"DICTIONARY_MAX_RATE": strconv.Itoa(limit), "LOG_LEVEL": "WARN"})
	if err != nil {
		return err
	}
	cache, err := cacheBefore(ctx, g, "cache", tier[0].Upstream(), nil)
	if err != nil {
		return err
	}
	span := r.Span(10*time.Second, 2*time.Second)
	direct, err := closed(ctx, tier[0].Data, span, func(int) string { return "/v1/words/dog" })
	if err != nil {
		return fmt.Errorf("without cache: %w", err)
	}
	// Every second request has a query that never repeats: the dictionary ignores
	// it, the cache cannot.
	through, err := closed(ctx, cache.Data, span, func(n int) string {
		if n%2 == 0 {
			return "/v1/words/dog"
		}
		return "/v1/words/dog?n=" + strconv.Itoa(n)
	})
	if err != nil {
		return fmt.Errorf("with cache: %w", err)
	}
	r.Measured("capacity of the tier alone", direct.rate(), "requests/s")
	r.Measured("capacity with the cache before it", through.rate(), "requests/s")
	r.Measured("hit rate", through.hitRate()*100, "%")
	r.Claim(proof.Within("capacity at a hit rate of 50 %, beside none", through.rate()/direct.rate(), 2, 0.03, "×"))
	return r.Chart("capacity", chart.Bars{Title: "What a tier of 1,000 requests/s can serve", Note: "closed loop; dashed: by arithmetic", Unit: "requests per second", Rows: []chart.Row{
		{Label: "tier alone", Value: direct.rate(), Target: limit, Series: 1}, {Label: "half of the requests are hits", Value: through.rate(), Target: 2 * limit},
	}})
}

// closed asks as fast as it is answered; enough clients to keep a queue standing.
func closed(ctx context.Context, addr string, d time.Duration, path func(n int) string) (*looped, error) {
	client, err := plain(addr)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	if a := client.Get(ctx, path(0), nil); a.Err != nil || a.Status != 200 {
		return nil, fmt.Errorf("first request: status %d, %v", a.Status, a.Err)
	}
	return loop{clients: 100, duration: d, send: func(ctx context.Context, n int) openloop.Answer {
		return client.Get(ctx, path(n), nil)
	}}.run(ctx)
}

// latencyMix is the book's mean: 0.25 × 10 ms + 0.75 × 100 ms. Users are 10 ms away,
// the upstream takes 90 ms.
func latencyMix(ctx context.Context, r *proof.Report) error {
	const distance, behind = 10 * time.Millisecond, 90 * time.Millisecond
	g := rig.New(r)
	defer g.Close()
	origin := &rig.Origin{Delay: behind}
	client, err := clientOfCache(ctx, g, origin)
	if err != nil {
		return err
	}
	if a := client.Get(ctx, "/1024/hot", nil); a.Err != nil || a.Status != 200 {
		return fmt.Errorf("first request: status %d, %v", a.Status, a.Err)
	}
	origin.Requests.Store(0)
	result := openloop.Load{Rate: 200, Duration: r.Span(20*time.Second, 2*time.Second), Send: func(ctx context.Context, n int) openloop.Answer {
		machine.Sleep(distance)
		path := "/1024/hot"
		if n%4 != 0 {
			path = fmt.Sprintf("/1024/cold-%d-%d", n, rand.Uint32())
		}
		return client.Get(ctx, path, nil)
	}}.Run(ctx)
	if result.Failed > 0 {
		return fmt.Errorf("%d requests failed: %v", result.Failed, result.Reasons)
	}
	hitRate := 1 - float64(origin.Requests.Load())/float64(result.Good)
	r.Measured("hit rate", hitRate*100, "%")
	r.Claim(proof.Within("mean latency", milliseconds(result.Latency.Mean()), 77.5, 0.03, "ms"))
	r.Measured("median, which no mean shows", milliseconds(result.Latency.Quantile(0.5)), "ms")
	return nil
}

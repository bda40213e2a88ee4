package experiments

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/hist"
	"github.com/flotilla-dev/flotilla/loadtest/openloop"
)

// A shardLoad sends requests to shards, each at a rate of its own that may change, and keeps the latencies of each shard
// by second. Which shard a request is for is drawn: arrivals at a shard then are as irregular as those of users.
type shardLoad struct {
	fleet *hotFleet
	rate  float64 // of all shards together, at most

	mu     sync.Mutex // guards all below
	rates  map[string]float64
	slices map[string][]*hist.Histogram

	begin     time.Time
	misplaced atomic.Int64 // answers of another shard than the key's
	shots     atomic.Int64
}

// the longest that a load may last.
const loadSeconds = 600

// begun starts a load that ends with stop, which returns what users saw.
func (f *hotFleet) begun(ctx context.Context, most float64, rates map[string]float64) (*shardLoad, func() openloop.Result, error) {
	client, err := plain(f.Data)
	if err != nil {
		return nil, nil, err
	}
	l := &shardLoad{fleet: f, rate: most, rates: map[string]float64{}, slices: map[string][]*hist.Histogram{}}
	l.set(rates)
	for _, name := range f.names {
		for range loadSeconds {
			l.slices[name] = append(l.slices[name], nil)
		}
	}
	loadCtx, stop := context.WithCancel(ctx)
	results := make(chan openloop.Result, 1)
	l.begin = time.Now()
	go func() {
		results <- openloop.Load{Rate: most, Timeout: 40 * time.Second, MaxInFlight: 16384, Send: func(ctx context.Context, n int) openloop.Answer {
			return l.send(ctx, client, n)
		}}.Run(loadCtx)
	}()
	return l, func() openloop.Result {
		stop()
		defer client.Close()
		return <-results
	}, nil
}

// set changes rates.
func (l *shardLoad) set(rates map[string]float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, rate := range rates {
		l.rates[name] = rate
	}
}

// draw chooses the shard of a request, or "" for none: the rates may add up to less than the most.
func (l *shardLoad) draw() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := rand.Float64() * l.rate
	for _, name := range l.fleet.names {
		if at -= l.rates[name]; at < 0 {
			return name
		}
	}
	return ""
}

// send makes request n, if it is for anybody, and counts it.
func (l *shardLoad) send(ctx context.Context, client *openloop.Client, n int) openloop.Answer {
	shard := l.draw()
	if shard == "" {
		return openloop.Answer{Status: http.StatusOK}
	}
	l.shots.Add(1)
	keys := l.fleet.keys[shard]
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, client.URL()+keys[rand.IntN(len(keys))], nil)
	if err != nil {
		return openloop.Answer{Err: err}
	}
	intended := time.Duration(float64(n) / l.rate * float64(time.Second))
	answer, resp := client.Do(ctx, req)
	took := time.Since(l.begin) - intended
	if resp != nil && answer.Err == nil && answer.Status == http.StatusOK {
		if resp.Header.Get("X-Shard") != shard {
			l.misplaced.Add(1)
		}
		l.record(shard, int(intended/time.Second), took)
	}
	return answer
}

func (l *shardLoad) record(shard string, second int, took time.Duration) {
	if second >= loadSeconds {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.slices[shard][second] == nil {
		l.slices[shard][second] = &hist.Histogram{}
	}
	l.slices[shard][second].Record(took)
}

// p99 of a shard over the seconds [from, to) since the load began; 0 where there was no answer.
func (l *shardLoad) p99(shard string, from, to int) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all hist.Histogram
	for second := max(from, 0); second < min(to, loadSeconds); second++ {
		if one := l.slices[shard][second]; one != nil {
			all.Merge(one)
		}
	}
	return all.Quantile(0.99)
}

// ratio is the 99th percentile of a shard beside the mean of the others.
func (l *shardLoad) ratio(shard string, from, to int) float64 {
	sum, n := 0.0, 0.0
	for _, name := range l.fleet.names {
		if p := l.p99(name, from, to); name != shard && p > 0 {
			sum += p.Seconds()
			n++
		}
	}
	if n == 0 {
		return math.NaN()
	}
	return l.p99(shard, from, to).Seconds() / (sum / n)
}

// now is the seconds since the load began.
func (l *shardLoad) now() int { return int(time.Since(l.begin) / time.Second) }

// lost asks for every key once and counts those that are not answered by their shard.
func (f *hotFleet) lost(ctx context.Context) (lost, all int, err error) {
	client, err := plain(f.Data)
	if err != nil {
		return 0, 0, err
	}
	defer client.Close()
	for shard, keys := range f.keys {
		for _, path := range keys {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, client.URL()+path, nil)
			if err != nil {
				return 0, 0, fmt.Errorf("ask for a key: %w", err)
			}
			all++
			if answer, resp := client.Do(ctx, req); answer.Err != nil || answer.Status != http.StatusOK || resp.Header.Get("X-Shard") != shard {
				lost++
			}
		}
	}
	return lost, all, nil
}

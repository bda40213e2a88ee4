package experiments

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/loadtest/hist"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

const (
	applications = 8
	ofEach       = 4 // connections of an application to its ambassador or router
	routers      = 2
)

// localOrShared runs the same applications twice before the same three shards:
// each with an ambassador of its own, and all with two routers that they share.
func localOrShared(ctx context.Context, r *proof.Report) error {
	g := rig.New(r)
	defer g.Close()
	if err := g.Build(ctx, "memcacheshard", "memcached"); err != nil {
		return err
	}
	rows := [][]string{}
	for _, way := range []struct {
		name  string
		procs int
	}{{"pod-local ambassadors", applications}, {"shared routers", routers}} {
		latency, connections, memory, err := oneWay(ctx, r, g, way.name, way.procs)
		if err != nil {
			return err
		}
		r.Claim(proof.Exactly("connections to 3 shards with "+way.name, connections, 3*way.procs, fmt.Sprintf("of %d processes", way.procs)))
		r.Measured(way.name+": p50 of a get", microseconds(latency.Quantile(0.5)), "µs")
		r.Measured(way.name+": p99 of a get", microseconds(latency.Quantile(0.99)), "µs")
		rows = append(rows, []string{
			way.name, fmt.Sprint(way.procs), fmt.Sprint(connections), fmt.Sprintf("%.1f MiB", memory),
			fmt.Sprint(latency.Quantile(0.5).Round(time.Microsecond)), fmt.Sprint(latency.Quantile(0.99).Round(time.Microsecond)),
		})
	}
	r.Table(proof.Table{
		Title:   fmt.Sprintf("%d applications with %d connections each, before 3 shards", applications, ofEach),
		Columns: []string{"way", "processes", "connections to shards", "memory of all", "p50", "p99"}, Rows: rows,
	})
	r.Note("Each connection asks for a key every 2 ms. Everything is on one machine: a router on another one costs a round trip of the network more, which is not in these figures. Without either the applications would need %d connections to the shards.", 3*applications*ofEach)
	return nil
}

// oneWay starts shards with so many ambassadors or routers, lets the applications
// ask, and tells what it took.
func oneWay(ctx context.Context, r *proof.Report, g *rig.Rig, name string, procs int) (latency *hist.Histogram, connections int, memory float64, err error) {
	var shards []*rig.Proc
	var servers []string
	for i := range 3 {
		p, err := g.Service(ctx, "memcached", fmt.Sprintf("%s-shard-%d", slug(name), i), map[string]string{"DRAIN_DELAY": "0s"})
		if err != nil {
			return nil, 0, 0, err
		}
		shards, servers = append(shards, p), append(servers, p.Data)
	}
	var all []*rig.Proc
	for i := range procs {
		p, err := g.Service(ctx, "memcacheshard", fmt.Sprintf("%s-%d", slug(name), i), map[string]string{"MEMCACHESHARD_SERVERS": strings.Join(servers, ","), "MEMCACHESHARD_HASH": "murmur"})
		if err != nil {
			return nil, 0, 0, err
		}
		all = append(all, p)
	}
	if latency, err = askAll(ctx, all, r.Span(8*time.Second, time.Second)); err != nil {
		return nil, 0, 0, err
	}
	for _, p := range shards {
		n, err := memcachedConnections(ctx, p.Data)
		if err != nil {
			return nil, 0, 0, err
		}
		connections += n
	}
	memory, err = memoryOf(all)
	return latency, connections, memory, err
}

// askAll lets all applications ask through what is theirs.
func askAll(ctx context.Context, through []*rig.Proc, span time.Duration) (*hist.Histogram, error) {
	latency := &hist.Histogram{}
	ends := time.Now().Add(span)
	var wg sync.WaitGroup
	failed := make(chan error, applications*ofEach)
	for i := range applications * ofEach {
		wg.Go(func() { failed <- askUntil(ctx, through[i%len(through)].Data, i, ends, latency) })
	}
	wg.Wait()
	close(failed)
	for err := range failed {
		if err != nil {
			return nil, err
		}
	}
	return latency, nil
}

func askUntil(ctx context.Context, addr string, client int, ends time.Time, latency *hist.Histogram) error {
	c, err := dialMemcached(ctx, addr)
	if err != nil {
		return err
	}
	defer c.close()
	for i := 0; time.Now().Before(ends); i++ {
		key := fmt.Sprintf("key-%d-%d", client, i%100)
		if i < 100 {
			if answer, err := c.set(key, key); err != nil || answer != "STORED" {
				return fmt.Errorf("set: %q, %w", answer, err)
			}
			continue
		}
		began := time.Now()
		answer, err := c.get(key)
		if err != nil || answer != key {
			return fmt.Errorf("get %s: %q, %w", key, answer, err)
		}
		latency.Record(time.Since(began))
		if err := retry.Sleep(ctx, 2*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

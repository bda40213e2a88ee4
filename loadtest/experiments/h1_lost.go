package experiments

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/openloop"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// lostKeys fit into three shards, and into two.
const lostKeys = 6000

// lostPages is the same for HTTP caches.
const lostPages = 1200

// shardLost kills a server of one shard of three, and brings it back, with one server for each shard and with two.
func shardLost(ctx context.Context, r *proof.Report) error {
	g := rig.New(r)
	defer g.Close()
	if err := g.Build(ctx, "memcached", "memcacheshard"); err != nil {
		return err
	}
	alone := func() (*lossRig, error) {
		servers, err := memcachedOf(ctx, g, "alone", 3, "64MiB")
		if err != nil {
			return nil, err
		}
		router, err := shardRouter(ctx, g, servers)
		if err != nil {
			return nil, err
		}
		return memcachedLoss(ctx, g, servers[0], router), nil
	}
	paired := func() (*lossRig, error) {
		first, router, err := replicatedShards(ctx, g, 3)
		if err != nil {
			return nil, err
		}
		return memcachedLoss(ctx, g, first, router), nil
	}
	r.Note("A sharded memcached behind the shard router, and an application that asks its origin for what is not there and stores it. The first request to the lost server finds out; for %v nobody asks it again.", shardRetry)
	return reportLosses(ctx, r, alone, paired)
}

// cacheLost does the same to HTTP caches behind the sharding proxy.
func cacheLost(ctx context.Context, r *proof.Report) error {
	g := rig.New(r)
	defer g.Close()
	if err := g.Build(ctx, "cache", "shardproxy"); err != nil {
		return err
	}
	origin := &rig.Origin{}
	if err := g.Origin(origin); err != nil {
		return err
	}
	start := func(name string, replicas int) func() (*lossRig, error) {
		return func() (*lossRig, error) {
			shards, proxy, client, err := shardedCaches(ctx, g, origin, name, replicas)
			if err != nil {
				return nil, err
			}
			return &lossRig{
				keys: lostPages, first: shards[0][0],
				get: func(ctx context.Context, n int) openloop.Answer {
					return client.Get(ctx, fmt.Sprintf("/1024/page-%d", n), nil)
				},
				held: func() (int, error) { return pagesOf(ctx, shards[0][0]) },
				back: func() error { return awaitUsable(ctx, proxy) },
			}, nil
		}
	}
	r.Note("Three shards of HTTP caches behind services/shardproxy, which checks them five times a second; a replica of a shard is chosen by load, so each has all pages of its shard before the loss.")
	return reportLosses(ctx, r, start("alone", 1), start("paired", 2))
}

// reportLosses loses a server without and with replicas, and claims what that may cost.
func reportLosses(ctx context.Context, r *proof.Report, aloneRig, pairedRig func() (*lossRig, error)) error {
	t := proof.Table{Title: "Every key is asked for once in a pass; a server is killed when all are in the cache", Columns: []string{
		"", "its share of the keys", "not in the cache after the loss", "next pass", "after it came back", "next pass"}}
	alone, err := loseShard(ctx, &t, "no replicas", aloneRig)
	if err != nil {
		return fmt.Errorf("no replicas: %w", err)
	}
	paired, err := loseShard(ctx, &t, "two replicas of each shard", pairedRig)
	if err != nil {
		return fmt.Errorf("replicas: %w", err)
	}
	r.Claim(proof.Exactly("requests without an answer", alone.failed+paired.failed, 0, fmt.Sprintf("of %d", alone.done+paired.done)))
	r.Claim(proof.Within("no replicas: keys not in the cache after the loss, beside the lost shard's share of them", alone.lost/alone.share, 1, 0.03, "×"))
	r.Claim(proof.AtMost("no replicas: and in the next pass, as others stand in", alone.again*100, 1, "%"))
	r.Claim(proof.Within("no replicas: when it is back, empty, the same keys are missing once more", alone.back/alone.share, 1, 0.03, "×"))
	r.Claim(proof.AtMost("two replicas: keys not in the cache after the loss", paired.lost*100, 0.1, "%"))
	r.Claim(proof.AtMost("two replicas: keys not in the cache when the lost one is back, beside the shard's share", paired.back/paired.share, 0.75, "×"))
	r.Table(t)
	return nil
}

// A lossRig is a sharded cache, of which a server gets lost.
type lossRig struct {
	keys  int
	first *rig.Proc // of the first shard
	get   func(ctx context.Context, n int) openloop.Answer
	held  func() (int, error) // keys that it holds
	back  func() error        // waits until all servers are used again
}

func memcachedLoss(ctx context.Context, g *rig.Rig, first, router *rig.Proc) *lossRig {
	a := newAside(g, router.Data, 100, nil)
	return &lossRig{
		keys: lostKeys, first: first,
		get:  func(ctx context.Context, n int) openloop.Answer { return a.get(ctx, userKey(n)) },
		held: func() (int, error) { return items(ctx, []*rig.Proc{first}) },
		back: func() error {
			if err := awaitLive(ctx, router); err != nil {
				return err
			}
			_, err := awaitReturn(ctx, router)
			return err
		},
	}
}

// A loss is what the keys of all shards went through: shares that were not in the cache.
type loss struct {
	share             float64 // of the keys that are on the lost server
	lost, again, back float64
	done, failed      int
}

// warmPasses bound how often every key is asked for until all replicas have theirs.
const warmPasses = 40

func loseShard(ctx context.Context, t *proof.Table, title string, start func() (*lossRig, error)) (l loss, err error) {
	c, err := start()
	if err != nil {
		return l, err
	}
	missing := 1.0
	quiet := 0 // passes in a row in which nothing was missing
	for n := 0; quiet < 3; n++ {
		if n == warmPasses {
			return l, fmt.Errorf("after %d passes %s of the keys are still missing", n, percent(missing))
		}
		if err := l.pass(ctx, c, &missing); err != nil {
			return l, err
		}
		if quiet++; missing > 0 {
			quiet = 0
		}
	}
	held, err := c.held()
	if err != nil {
		return l, err
	}
	l.share = float64(held) / float64(c.keys)
	c.first.Kill()
	last := 0.0
	for _, step := range []func() error{
		func() error { return l.pass(ctx, c, &l.lost) },
		func() error { return l.pass(ctx, c, &l.again) },
		func() error { return c.first.Restart(ctx) },
		c.back,
		func() error { return l.pass(ctx, c, &l.back) },
		func() error { return l.pass(ctx, c, &last) },
	} {
		if err := step(); err != nil {
			return l, err
		}
	}
	t.Rows = append(t.Rows, []string{title, percent(l.share), percent(l.lost), percent(l.again), percent(l.back), percent(last)})
	return l, nil
}

// pass asks for every key once, in an order of its own.
func (l *loss) pass(ctx context.Context, c *lossRig, missing *float64) error {
	keys := rand.Perm(c.keys)
	result, err := loop{clients: 8, duration: time.Minute, requests: c.keys, send: func(ctx context.Context, n int) openloop.Answer {
		return c.get(ctx, keys[n])
	}}.run(ctx)
	if err != nil && result.failed == 0 {
		return err
	}
	l.done += int(result.good + result.failed)
	l.failed += int(result.failed)
	*missing = 1 - float64(result.hits)/float64(c.keys)
	return ctx.Err()
}

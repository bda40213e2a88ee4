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

// shardLost kills a server of one shard of three, and brings it back, with one server for each shard and with two.
func shardLost(ctx context.Context, r *proof.Report) error {
	g := rig.New(r)
	defer g.Close()
	if err := g.Build(ctx, "memcached", "memcacheshard"); err != nil {
		return err
	}
	t := proof.Table{Title: "Every key is asked for once in a pass; a server is killed after the first", Columns: []string{
		"", "its share of the keys", "not in the cache after the loss", "next pass", "after it came back", "next pass"}}
	alone, err := loseShard(ctx, g, &t, "no replicas", func() (*rig.Proc, *rig.Proc, error) {
		servers, err := memcachedOf(ctx, g, "alone", 3, "64MiB")
		if err != nil {
			return nil, nil, err
		}
		router, err := shardRouter(ctx, g, servers)
		return servers[0], router, err
	})
	if err != nil {
		return fmt.Errorf("no replicas: %w", err)
	}
	paired, err := loseShard(ctx, g, &t, "two replicas of each shard", func() (*rig.Proc, *rig.Proc, error) { return replicatedShards(ctx, g, 3) })
	if err != nil {
		return fmt.Errorf("replicas: %w", err)
	}
	r.Claim(proof.Exactly("requests without an answer", alone.failed+paired.failed, 0, fmt.Sprintf("of %d", alone.done+paired.done)))
	r.Claim(proof.Within("no replicas: keys not in the cache after the loss, beside the lost shard's share of them", alone.lost/alone.share, 1, 0.03, "×"))
	r.Claim(proof.AtMost("no replicas: and in the next pass, as others stand in", alone.again*100, 1, "%"))
	r.Claim(proof.Within("no replicas: when it is back, empty, the same keys are missing once more", alone.back/alone.share, 1, 0.03, "×"))
	r.Claim(proof.AtMost("two replicas: keys not in the cache after the loss", paired.lost*100, 0.1, "%"))
	r.Measured("two replicas: keys not in the cache when the lost one is back", paired.back*100, "%")
	r.Table(t)
	r.Note("A sharded memcached behind the shard router, %d keys, and an application that asks its origin for what is not there and stores it. The first request to the lost server finds out; for %v nobody asks it again.", lostKeys, shardRetry)
	return nil
}

// A loss is what the keys of all shards went through: shares that were not in the cache.
type loss struct {
	share             float64 // of the keys that are on the lost server
	lost, again, back float64
	done, failed      int
}

func loseShard(ctx context.Context, g *rig.Rig, t *proof.Table, title string, start func() (first, router *rig.Proc, err error)) (l loss, err error) {
	first, router, err := start()
	if err != nil {
		return l, err
	}
	a := newAside(g, router.Data, 100, nil)
	pass := func(into *float64) func() error {
		return func() error { return l.pass(ctx, a, into) }
	}
	var cold, warm, last float64
	steps := []func() error{
		pass(&cold), pass(&warm),
		func() error {
			held, err := items(ctx, []*rig.Proc{first})
			l.share = float64(held) / lostKeys
			return err
		},
		func() error { first.Kill(); return nil },
		pass(&l.lost), pass(&l.again),
		func() error { return first.Restart(ctx) },
		func() error { return awaitLive(ctx, router) },
		func() error { _, err := awaitReturn(ctx, router); return err },
		pass(&l.back), pass(&last),
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return l, err
		}
	}
	if cold != 1 || warm != 0 {
		return l, fmt.Errorf("%.3f of the keys were missing at first and %.3f then, want all and none", cold, warm)
	}
	t.Rows = append(t.Rows, []string{title, percent(l.share), percent(l.lost), percent(l.again), percent(l.back), percent(last)})
	return l, nil
}

// pass asks for every key once, in an order of its own.
func (l *loss) pass(ctx context.Context, a *aside, missing *float64) error {
	keys := rand.Perm(lostKeys)
	a.reset()
	result, err := loop{clients: 8, duration: time.Minute, requests: lostKeys, send: func(ctx context.Context, n int) openloop.Answer {
		return a.get(ctx, userKey(keys[n]))
	}}.run(ctx)
	if result == nil {
		return err
	}
	l.done += int(result.good + result.failed)
	l.failed += int(result.failed)
	*missing = float64(a.misses.Load()+a.unavailable.Load()) / lostKeys
	return ctx.Err()
}

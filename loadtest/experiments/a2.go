package experiments

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/closedloop"
	"github.com/flotilla-dev/flotilla/loadtest/duel"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

func a2() proof.Pattern {
	a := ofMemcached()
	return proof.Pattern{ID: "A2", Title: "Ambassador: sharded memcached", Page: "a2-memcacheshard.md", Experiments: []proof.Experiment{
		{Name: "placement", Question: "Is a key that was stored through memcacheshard where twemproxy looks for it, for each hash and distribution, with weights, and with a server gone and back again?", Run: samePlacement(a)},
		{Name: "pipeline-1", Question: "How many commands does it pass on beside twemproxy, one at a time on 50 connections?", Run: shardRates(a, 1)},
		{Name: "pipeline-16", Question: "And 16 at a time?", Run: shardRates(a, 16)},
		{Name: "router", Question: "What do applications pay, and what do the shards save, when they share two routers in place of an ambassador each?", Run: localOrShared},
		{Name: "replica-killed", Question: "A replica of a shard is killed: is a request lost, or an old value read?", Run: replicaFault(killedShard())},
		{Name: "replica-hung", Question: "A replica of a shard hangs and goes on with what it held: is a request lost, or an old value read?", Run: replicaFault(hungShard())},
		{Name: "killed", Question: "A shard is killed: who notices, for how long?", Run: shardFault(a, killedShard())},
		{Name: "hung", Question: "A shard hangs: who notices, for how long?", Run: shardFault(a, hungShard())},
		{Name: "slow", Question: "A shard answers 100 ms late: who notices?", Run: shardFault(a, slowShard())},
		{Name: "half-open", Question: "A shard's machine is gone without a word: who notices, for how long?", Run: shardFault(a, halfOpenShard())},
	}}
}

// ofMemcached is the ambassador of A2.
func ofMemcached() ambassador {
	return ambassador{
		program: "memcacheshard", backend: "memcached", prefix: "MEMCACHESHARD_", peer: "memcached",
		server: func(ctx context.Context, g *rig.Rig, name string) (*rig.Proc, error) {
			return g.MemcachedServer(ctx, name)
		},
		dial: func(ctx context.Context, addr string) (keeper, error) { return dialMemcached(ctx, addr) },
		oddKey: func(random *rand.Rand) string { // memcached allows no spaces and no control characters
			key := make([]byte, 1+random.IntN(240))
			for i := range key {
				if key[i] = '!' + byte(random.UintN(94)); random.IntN(4) == 0 {
					key[i] |= 0x80
				}
			}
			return string(key)
		},
		load: memload,
	}
}

func memload(_ context.Context, g *rig.Rig, name string, p *rig.Proc, command string, pipeline int, span time.Duration) (duel.Side, error) {
	load := closedloop.MemcachedLoad{Program: g.Bin("memload"), Addr: p.Data, Sets: command == "SET", Pipeline: pipeline, Keys: loadKeys, Duration: span, Server: p.PID()}
	return duel.Side{Name: name, Round: func(ctx context.Context) (duel.Sample, error) { return closedloop.Memload(ctx, load) }}, nil
}

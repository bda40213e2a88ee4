package experiments

import (
	"context"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/closedloop"
	"github.com/flotilla-dev/flotilla/loadtest/duel"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

func a1() proof.Pattern {
	a := ofRedis()
	return proof.Pattern{ID: "A1", Title: "Ambassador: sharded Redis", Page: "a1-redisshard.md", Experiments: []proof.Experiment{
		{Name: "placement", Question: "Is a key that was written through redisshard where twemproxy looks for it, for each hash and distribution, with a server gone and back again?", Run: samePlacement(a)},
		{Name: "pipeline-1", Question: "How many commands does it pass on beside twemproxy, one at a time on 50 connections?", Run: shardRates(a, 1)},
		{Name: "pipeline-16", Question: "And 16 at a time?", Run: shardRates(a, 16)},
		{Name: "connections", Question: "What do 2,000 clients cost, in connections to the shards and in memory?", Run: manyClients},
		{Name: "killed", Question: "A shard is killed: who notices, for how long?", Run: shardFault(a, killedShard())},
		{Name: "hung", Question: "A shard hangs: who notices, for how long?", Run: shardFault(a, hungShard())},
		{Name: "slow", Question: "A shard answers 100 ms late: who notices?", Run: shardFault(a, slowShard())},
		{Name: "half-open", Question: "A shard's machine is gone without a word: who notices, for how long?", Run: shardFault(a, halfOpenShard())},
	}}
}

// ofRedis is the ambassador of A1.
func ofRedis() ambassador {
	return ambassador{
		program: "redisshard", backend: "redis", prefix: "REDISSHARD_", peer: "redis-server",
		server: func(ctx context.Context, g *rig.Rig, name string) (*rig.Proc, error) {
			return g.RedisServer(ctx, name, "--appendonly", "no")
		},
		dial: func(ctx context.Context, addr string) (keeper, error) { return dialRedis(ctx, addr) },
		oddKey: func(random *rand.Rand) string {
			key := make([]byte, 1+random.IntN(246))
			for i := range key {
				key[i] = byte(random.UintN(256))
			}
			return string(key)
		},
		load: redisBenchmark,
	}
}

// redisBenchmark runs redis-benchmark: a first short run tells how many commands take
// about span.
func redisBenchmark(ctx context.Context, _ *rig.Rig, name string, p *rig.Proc, command string, pipeline int, span time.Duration) (duel.Side, error) {
	load := closedloop.RedisLoad{Addr: p.Data, Test: strings.ToLower(command), Pipeline: pipeline, Requests: 20_000 * pipeline, Keys: loadKeys, Server: p.PID()}
	first, err := closedloop.RedisBenchmark(ctx, load)
	if err != nil {
		return duel.Side{}, missing(err)
	}
	load.Requests = max(int(first.Rate()*span.Seconds()), load.Requests)
	return duel.Side{Name: name, Round: func(ctx context.Context) (duel.Sample, error) { return closedloop.RedisBenchmark(ctx, load) }}, nil
}

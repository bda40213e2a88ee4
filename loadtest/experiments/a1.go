package experiments

import (
	"context"
	"fmt"

	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

func a1() proof.Pattern {
	return proof.Pattern{ID: "A1", Title: "Ambassador: sharded Redis", Page: "a1-redisshard.md", Experiments: []proof.Experiment{
		{Name: "placement", Question: "Is a key that was written through redisshard where twemproxy looks for it, for each hash and distribution, with a server gone and back again?", Run: samePlacement},
		{Name: "pipeline-1", Question: "How many commands does it pass on beside twemproxy, one at a time on 50 connections?", Run: shardRates(1)},
		{Name: "pipeline-16", Question: "And 16 at a time?", Run: shardRates(16)},
		{Name: "connections", Question: "What do 2,000 clients cost, in connections to the shards and in memory?", Run: manyClients},
		{Name: "killed", Question: "A shard is killed: who notices, for how long?", Run: shardFault(ofRedis(), killedShard())},
		{Name: "hung", Question: "A shard hangs: who notices, for how long?", Run: shardFault(ofRedis(), hungShard())},
		{Name: "slow", Question: "A shard answers 100 ms late: who notices?", Run: shardFault(ofRedis(), slowShard())},
		{Name: "half-open", Question: "A shard's machine is gone without a word: who notices, for how long?", Run: shardFault(ofRedis(), halfOpenShard())},
	}}
}

// shards are Redis servers with the addresses under which proxies know them, as
// "host:port:weight name".
type shards struct {
	procs   []*rig.Proc
	servers []string
}

// realShards starts real Redis servers of weight 1.
func realShards(ctx context.Context, g *rig.Rig, n int, cpus ...int) (shards, error) {
	var s shards
	for i := range n {
		p, err := g.RedisServer(ctx, fmt.Sprintf("shard-%d", i), cpus...)
		if err != nil {
			return s, err
		}
		s.procs = append(s.procs, p)
		s.servers = append(s.servers, fmt.Sprintf("%s:1 server%d", p.Data, i))
	}
	return s, nil
}

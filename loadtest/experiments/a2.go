package experiments

import (
	"context"
	"fmt"
	"strings"

	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

func a2() proof.Pattern {
	return proof.Pattern{ID: "A2", Title: "Ambassador: sharded memcached", Page: "a2-memcacheshard.md", Experiments: []proof.Experiment{
		{Name: "placement", Question: "Is a key that was stored through memcacheshard where twemproxy looks for it, for each hash and distribution, with weights, and with a server gone and back again?", Run: sameMemcachedPlacement},
		{Name: "pipeline-1", Question: "How many commands does it pass on beside twemproxy, one at a time on 50 connections?", Run: memcachedRates(1)},
		{Name: "pipeline-16", Question: "And 16 at a time?", Run: memcachedRates(16)},
		{Name: "router", Question: "What do applications pay, and what do the shards save, when they share two routers in place of an ambassador each?", Run: localOrShared},
		{Name: "replica-killed", Question: "A replica of a shard is killed: is a request lost, or an old value read?", Run: replicaFault(killedShard())},
		{Name: "replica-hung", Question: "A replica of a shard hangs and goes on with what it held: is a request lost, or an old value read?", Run: replicaFault(hungShard())},
		{Name: "killed", Question: "A shard is killed: who notices, for how long?", Run: shardFault(ofMemcached(), killedShard())},
		{Name: "hung", Question: "A shard hangs: who notices, for how long?", Run: shardFault(ofMemcached(), hungShard())},
		{Name: "slow", Question: "A shard answers 100 ms late: who notices?", Run: shardFault(ofMemcached(), slowShard())},
		{Name: "half-open", Question: "A shard's machine is gone without a word: who notices, for how long?", Run: shardFault(ofMemcached(), halfOpenShard())},
	}}
}

// ofMemcached is the ambassador of A2.
func ofMemcached() ambassador {
	return ambassador{"memcacheshard", "memcached", "memcached", memcachedShards, func(ctx context.Context, addr string) (keeper, error) { return dialMemcached(ctx, addr) }}
}

// memcachedShards starts shards of the tree, with an ambassador that ejects one
// after its first failure, for two seconds. through, where it is not nil, gives
// the address under which the ambassador knows a shard.
func memcachedShards(ctx context.Context, g *rig.Rig, n int, through func(i int, p *rig.Proc) (string, error)) (procs []*rig.Proc, ambassador *rig.Proc, err error) {
	var servers []string
	for i := range n {
		p, err := g.Service(ctx, "memcached", fmt.Sprintf("shard-%d", i), map[string]string{"DRAIN_DELAY": "0s"})
		if err != nil {
			return nil, nil, err
		}
		addr := p.Data
		if through != nil {
			if addr, err = through(i, p); err != nil {
				return nil, nil, err
			}
		}
		procs, servers = append(procs, p), append(servers, fmt.Sprintf("%s:1 server%d", addr, i))
	}
	ambassador, err = g.Service(ctx, "memcacheshard", "memcacheshard", map[string]string{
		"MEMCACHESHARD_SERVERS": strings.Join(servers, ","), "MEMCACHESHARD_HASH": "murmur", "MEMCACHESHARD_TIMEOUT": shardTimeout.String(),
		"MEMCACHESHARD_FAILURE_LIMIT": "1", "MEMCACHESHARD_RETRY_TIMEOUT": shardRetry.String(),
	})
	return procs, ambassador, err
}

// realMemcacheds starts real memcached servers of weight 1.
func realMemcacheds(ctx context.Context, g *rig.Rig, n int) (shards, error) {
	var s shards
	for i := range n {
		p, err := g.MemcachedServer(ctx, fmt.Sprintf("shard-%d", i))
		if err != nil {
			return s, err
		}
		s.procs = append(s.procs, p)
		s.servers = append(s.servers, fmt.Sprintf("%s:1 server%d", p.Data, i))
	}
	return s, nil
}

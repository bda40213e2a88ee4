package experiments

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/flotilla-dev/flotilla/loadtest/openloop"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

func h1() proof.Pattern {
	return proof.Pattern{ID: "H1", Title: "Sharded cache and the shard router", Page: "h1-sharded-cache.md", Experiments: []proof.Experiment{
		{Name: "memcached", Question: "Ten memcached, each of room for a twentieth of the data, filled alike or sharded: which share do they hold, and how often does a request hit?", Run: heldByMemcached},
		{Name: "http", Question: "And ten HTTP caches?", Run: heldByCaches},
		{Name: "lost", Question: "One of three shards is lost and comes back: what does it cost the origin, with and without replicas?", Run: shardLost},
		{Name: "http-lost", Question: "And one of three shards of HTTP caches?", Run: cacheLost},
		{Name: "rolling", Question: "Every HTTP cache is restarted at peak, one after another: what becomes of the hit rate, with and without replicas?", Run: rollingShards},
		{Name: "capacity", Question: "A tier of 1,000 requests/s behind caches with a hit rate of 50 %, half of which are killed: does it serve 2,000, 1,500, 1,333/s?", Run: capacityOfShards},
	}}
}

// An aside is an application that asks its cache, then its origin, and tells the cache: as services do that keep
// answers in memcached, by the same client.
type aside struct {
	cache  *memcache.Client
	origin func(ctx context.Context, key string) openloop.Answer // nil: an answer that costs nothing
	value  []byte

	hits, misses, unavailable atomic.Int64
}

// newAside opens an application before a memcached, or what looks like one.
func newAside(g *rig.Rig, addr string, size int, origin func(context.Context, string) openloop.Answer) *aside {
	a := &aside{cache: memcache.New(addr), origin: origin, value: []byte(strings.Repeat("v", size))}
	a.cache.Timeout, a.cache.MaxIdleConns = time.Second, 64
	g.Defer(func() { _ = a.cache.Close() })
	return a
}

// get is one request of a user. The answer tells of a hit as an HTTP cache does.
func (a *aside) get(ctx context.Context, key string) openloop.Answer {
	_, err := a.cache.Get(key)
	switch {
	case err == nil:
		a.hits.Add(1)
		return openloop.Answer{Status: http.StatusOK, Cache: "aside; hit"}
	case errors.Is(err, memcache.ErrCacheMiss):
		a.misses.Add(1)
	default:
		a.unavailable.Add(1)
	}
	answer := openloop.Answer{Status: http.StatusOK}
	if a.origin != nil {
		answer = a.origin(ctx, key)
		answer.Cache = "" // what the origin may say about caches of its own
	}
	if answer.Err == nil && answer.Status == http.StatusOK && errors.Is(err, memcache.ErrCacheMiss) {
		_ = a.cache.Set(&memcache.Item{Key: key, Value: a.value}) // it does without a cache that does not take it
	}
	return answer
}

// reset forgets what was counted.
func (a *aside) reset() {
	a.hits.Store(0)
	a.misses.Store(0)
	a.unavailable.Store(0)
}

// store puts a key into the cache, without asking whether it is there.
func (a *aside) store(key string) error {
	return a.cache.Set(&memcache.Item{Key: key, Value: a.value})
}

// memcachedOf starts memcached servers of the tree with so much memory each.
func memcachedOf(ctx context.Context, g *rig.Rig, name string, n int, memory string) ([]*rig.Proc, error) {
	var all []*rig.Proc
	for i := range n {
		p, err := g.Service(ctx, "memcached", fmt.Sprintf("%s-%d", name, i), map[string]string{"DRAIN_DELAY": "0s", "MEMCACHED_MEMORY": memory})
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// shardRouter starts a router before shards; a shard that fails is left out after the first failure.
func shardRouter(ctx context.Context, g *rig.Rig, shards []*rig.Proc) (*rig.Proc, error) {
	var servers []string
	for i, p := range shards {
		servers = append(servers, fmt.Sprintf("%s:1 server%d", p.Data, i))
	}
	return ofMemcached().start(ctx, g, servers, map[string]string{
		"HASH": "murmur", "TIMEOUT": shardTimeout.String(), "FAILURE_LIMIT": "1", "RETRY_TIMEOUT": shardRetry.String(),
	})
}

// items counts what memcached servers hold.
func items(ctx context.Context, servers []*rig.Proc) (int, error) {
	sum := 0
	for _, p := range servers {
		n, err := memcachedStat(ctx, p.Data, "curr_items")
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

func userKey(n int) string { return fmt.Sprintf("user:%d", n) }

package experiments

import (
	"context"
	"strings"

	"github.com/flotilla-dev/flotilla/loadtest/openloop"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

func r3() proof.Pattern {
	return proof.Pattern{ID: "R3", Title: "Caching layer", Page: "r3-cache.md", Experiments: []proof.Experiment{
		{Name: "hit-1k", Question: "How many hits of 1 KiB does the cache answer beside Varnish, and at what cost?", Run: hits(1<<10, hitTargets{rate: 1.3, cpu: 0.6, p99: 2})},
		{Name: "hit-32k", Question: "And hits of 32 KiB?", Run: hits(32<<10, hitTargets{rate: 0.9, cpu: 0.75, p99: 2})},
		{Name: "herd", Question: "When 200 clients miss on one key at once, how many requests reach the upstream, and how long do the clients wait?", Run: herd},
		{Name: "capacity", Question: "Does a hit rate of 50 % double what a tier of 1,000 requests/s can serve?", Run: capacity},
		{Name: "latency", Question: "With 100 ms behind, 10 ms for a hit and a hit rate of 25 %, is the mean 77.5 ms?", Run: latencyMix},
		{Name: "placement", Question: "The same memory as ten sidecar caches and as two tier caches: which hit rates?", Run: placement},
	}}
}

// cacheBefore starts one cache before an origin.
func cacheBefore(ctx context.Context, g *rig.Rig, name, upstream string, env map[string]string, cpus ...int) (*rig.Proc, error) {
	full := map[string]string{"CACHE_UPSTREAM": upstream}
	for k, v := range env {
		full[k] = v
	}
	return g.Service(ctx, "cache", name, full, cpus...)
}

// clientOfCache starts an origin and one cache before it, and opens a client of the cache.
func clientOfCache(ctx context.Context, g *rig.Rig, origin *rig.Origin) (*openloop.Client, error) {
	if err := g.Build(ctx, "cache"); err != nil {
		return nil, err
	}
	if err := g.Origin(origin); err != nil {
		return nil, err
	}
	cache, err := cacheBefore(ctx, g, "cache", origin.Upstream(), nil)
	if err != nil {
		return nil, err
	}
	client, err := plain(cache.Data)
	if err == nil {
		g.Defer(client.Close)
	}
	return client, err
}

// plain opens a client that speaks HTTP/1.1 to an address.
func plain(addr string) (*openloop.Client, error) {
	return openloop.Target{URL: "http://" + addr}.Open()
}

// isHit reads Cache-Status (RFC 9211): the cache nearest to the client is last.
func isHit(status string) bool {
	last := status[strings.LastIndexByte(status, ',')+1:]
	for _, parameter := range strings.Split(last, ";")[1:] {
		if strings.TrimSpace(parameter) == "hit" {
			return true
		}
	}
	return false
}

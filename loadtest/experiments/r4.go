package experiments

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

func r4() proof.Pattern {
	return proof.Pattern{ID: "R4", Title: "Rate limiting and denial-of-service defence", Page: "r4-limits.md", Experiments: []proof.Experiment{
		{Name: "exact", Question: "With 50/s and a burst of 20, what is a flood of four seconds allowed by one cache, and by two that share the limit?", Run: exact},
		{Name: "without-redis", Question: "And by two caches whose Redis is away?", Run: withoutRedis},
		{Name: "others", Question: "When one client floods at twenty times its limit, what do others notice?", Run: others},
	}}
}

// The limit of these experiments.
const (
	limitRate  = 50
	limitBurst = 20
)

// limits writes a policy with one limit for everything, and returns the environment
// of a cache that applies it, shared through Redis where there is one.
func limits(g *rig.Rig, rate, burst int, redis *rig.Proc) (map[string]string, error) {
	name := filepath.Join(g.Dir, fmt.Sprintf("limit-%d-%d.yaml", rate, burst))
	policy := fmt.Sprintf("limits:\n  - name: all\n    prefix: /\n    anonymous: {rate: %d, burst: %d}\n", rate, burst)
	if err := os.WriteFile(name, []byte(policy), 0o644); err != nil {
		return nil, err
	}
	env := map[string]string{"CACHE_POLICY_FILE": name}
	if redis != nil {
		env["CACHE_REDIS_ADDR"] = redis.Data
	}
	return env, nil
}

// limiterOn is a limiter that works on every request and refuses none of a
// benchmark's.
func limiterOn(g *rig.Rig) (map[string]string, error) { return limits(g, 1_000_000, 1_000_000, nil) }

// limited starts Redis and n caches that share a limit through it.
func limited(ctx context.Context, g *rig.Rig, label string, n int, upstream string) (redis *rig.Proc, caches []*rig.Proc, err error) {
	if err := g.Build(ctx, "cache", "redis"); err != nil {
		return nil, nil, err
	}
	if redis, err = g.Service(ctx, "redis", "redis-"+slug(label), nil); err != nil {
		return nil, nil, err
	}
	env, err := limits(g, limitRate, limitBurst, redis)
	if err != nil {
		return nil, nil, err
	}
	for i := range n {
		p, err := cacheBefore(ctx, g, fmt.Sprintf("cache-%d-%s", i+1, slug(label)), upstream, env)
		if err != nil {
			return nil, nil, err
		}
		caches = append(caches, p)
	}
	return redis, caches, nil
}

func slug(label string) string { return strings.NewReplacer(" ", "-", ",", "").Replace(label) }

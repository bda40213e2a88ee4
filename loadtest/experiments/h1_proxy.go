package experiments

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/flotilla-dev/flotilla/loadtest/openloop"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// cacheShards is the book's figure: three shards of HTTP caches.
const cacheShards = 3

// shardProxy starts the sharding proxy before shards of replicas, with the names shard-1:8080 and so on: a shard
// has the same keys in every run.
func shardProxy(ctx context.Context, g *rig.Rig, name string, shards [][]*rig.Proc) (*rig.Proc, error) {
	var text strings.Builder
	text.WriteString("key: uri\nfunction: nginx\nshards:\n")
	for i, replicas := range shards {
		fmt.Fprintf(&text, "- {name: \"shard-%d:8080\", replicas: %q}\n", i+1, rig.Upstreams(replicas...))
	}
	file := filepath.Join(g.Dir, name+".yaml")
	if err := os.WriteFile(file, []byte(text.String()), 0o644); err != nil {
		return nil, fmt.Errorf("layout of the shards: %w", err)
	}
	return g.Service(ctx, "shardproxy", name, map[string]string{"SHARDPROXY_CONFIG_FILE": file, "CHECK_INTERVAL": "200ms", "LOG_LEVEL": "WARN"})
}

// cachesNamed starts caches before an origin.
func cachesNamed(ctx context.Context, g *rig.Rig, origin *rig.Origin, name string, n int, env map[string]string) ([]*rig.Proc, error) {
	full := map[string]string{"CACHE_ACCESS_LOG": "0"}
	for k, v := range env {
		full[k] = v
	}
	var all []*rig.Proc
	for i := range n {
		p, err := cacheBefore(ctx, g, fmt.Sprintf("%s-%d", name, i+1), origin.Upstream(), full)
		if err != nil {
			killAll(all)
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

func killAll(procs []*rig.Proc) {
	for _, p := range procs {
		p.Kill()
	}
}

// shardedCaches starts three shards of caches, so many replicas of each, with the proxy before them, and a client of it.
func shardedCaches(ctx context.Context, g *rig.Rig, origin *rig.Origin, name string, replicas int) (shards [][]*rig.Proc, proxy *rig.Proc, client *openloop.Client, err error) {
	for i := range cacheShards {
		// A cache that is told to end goes on for longer than the proxy needs to see it.
		procs, err := cachesNamed(ctx, g, origin, fmt.Sprintf("%s-%d", name, i+1), replicas, map[string]string{"DRAIN_DELAY": "1s"})
		if err != nil {
			return nil, nil, nil, err
		}
		shards = append(shards, procs)
	}
	if proxy, err = shardProxy(ctx, g, name+"-shardproxy", shards); err != nil {
		return nil, nil, nil, err
	}
	if client, err = plain(proxy.Data); err != nil {
		return nil, nil, nil, err
	}
	g.Defer(client.Close)
	return shards, proxy, client, nil
}

// awaitUsable waits until the proxy uses all replicas of all shards, and every shard gets its own keys.
func awaitUsable(ctx context.Context, proxy *rig.Proc) error {
	return until(ctx, "the proxy uses all replicas", func() (bool, error) {
		var shards []struct {
			Replicas []struct {
				Usable bool `json:"usable"`
			} `json:"replicas"`
		}
		if err := getJSON(ctx, "http://"+proxy.Admin+"/v1/shards", &shards); err != nil {
			return false, err
		}
		for _, s := range shards {
			for _, r := range s.Replicas {
				if !r.Usable {
					return false, nil
				}
			}
		}
		if len(shards) != cacheShards {
			return false, fmt.Errorf("the proxy has %d shards, want %d", len(shards), cacheShards)
		}
		return noStandIns(ctx, proxy)
	})
}

// noStandIns asks for some keys whether those have them that they belong to.
func noStandIns(ctx context.Context, proxy *rig.Proc) (bool, error) {
	owners := map[string]bool{}
	for n := 0; len(owners) < cacheShards; n++ {
		if n == 1000 {
			return false, errors.New("a shard owns none of 1000 keys")
		}
		var place struct {
			Owner string  `json:"owner"`
			Shard *string `json:"shard"`
		}
		if err := getJSON(ctx, fmt.Sprintf("http://%s/v1/shards?key=/key-%d", proxy.Admin, n), &place); err != nil {
			return false, err
		}
		if place.Shard == nil || *place.Shard != place.Owner {
			return false, nil
		}
		owners[place.Owner] = true
	}
	return true, nil
}

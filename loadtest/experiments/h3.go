package experiments

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/flotilla-dev/flotilla/internal/atomicfile"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

func h3() proof.Pattern {
	return proof.Pattern{ID: "H3", Title: "Consistent HTTP sharding proxy", Page: "h3-shardproxy.md", Experiments: []proof.Experiment{
		{Name: "placement", Question: "How many of 10,000 URIs does shardproxy send elsewhere than nginx with hash $request_uri consistent: equal weights, weights, one server down?", Run: placedAsNginx},
		{Name: "rates", Question: "How many requests per second does shardproxy pass on, beside nginx with hash … consistent and beside a plain httputil.ReverseProxy?", Run: shardedRates},
		{Name: "reshard", Question: "What do users notice when a shard joins, drains, leaves, loses a replica, and is lost?", Run: reshardUnderLoad},
		{Name: "game", Question: "In a game world whose players are sharded by the region that they are in: do neighbours share a shard, and what is lost or done twice when players walk on while they play?", Run: playersMove},
	}}
}

// sharder is a proxy with its file of shards.
type sharder struct {
	*rig.Proc
	file string
}

// shardEntry is a shard of a file.
func shardEntry(name string, weight int, replicas string) string {
	return fmt.Sprintf("- {name: %q, weight: %d, replicas: %q}\n", name, weight, replicas)
}

// shardproxyBefore starts a proxy before the shards of a file.
func shardproxyBefore(ctx context.Context, g *rig.Rig, name string, shards []string, env map[string]string, cpus ...int) (*sharder, error) {
	s := &sharder{file: filepath.Join(g.Dir, name+".yaml")}
	if err := s.write(shards); err != nil {
		return nil, err
	}
	full := map[string]string{"SHARDPROXY_CONFIG_FILE": s.file, "SHARDPROXY_FIRST_REPLICAS": "10s"}
	for k, v := range env {
		full[k] = v
	}
	p, err := g.Service(ctx, "shardproxy", name, full, cpus...)
	s.Proc = p
	return s, err
}

// write replaces the file at once, as a sidecar does.
func (s *sharder) write(shards []string) error {
	return atomicfile.Write(s.file, []byte("shards:\n"+strings.Join(shards, "")), 0o644)
}

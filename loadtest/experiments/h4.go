package experiments

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/flotilla-dev/flotilla/loadtest/openloop"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

func h4() proof.Pattern {
	return proof.Pattern{ID: "H4", Title: "Hot shards", Page: "h4-hot-shards.md", Experiments: []proof.Experiment{
		{Name: "hot", Question: "One of three shards gets four times the load: when is its 99th percentile back beside those of the others, with nobody touching anything, and is a key lost?", Run: hotShard},
		{Name: "together", Question: "Two of four shards get cold, share replicas, and one is needed again: what do users notice, and is a key lost?", Run: coldShards},
	}}
}

// perReplica is what a replica of these shards can answer: requests per second, in turn.
const perReplica = 100

// hotFleet is shards whose replicas have a known capacity, behind a sharding proxy, with a controller.
type hotFleet struct {
	*sharder
	scaler     *rig.Scaler
	controller *rig.Proc
	names      []string
	keys       map[string][]string // paths, by shard
}

// hotShards starts a fleet. Each shard has the least replicas at first.
func hotShards(ctx context.Context, g *rig.Rig, names []string, least int, env map[string]string) (*hotFleet, error) {
	if err := g.Build(ctx, "dictionary", "shardproxy", "hotshards"); err != nil {
		return nil, err
	}
	scaler, err := g.NewScaler()
	if err != nil {
		return nil, err
	}
	f := &hotFleet{scaler: scaler, names: names}
	data, err := g.DictionaryData()
	if err != nil {
		return nil, err
	}
	var layout []string
	file := "shards:\n"
	for _, name := range names {
		address, err := scaler.Add(ctx, "shard-"+name, least, func(ctx context.Context, instance string) (*rig.Proc, error) {
			return g.Service(ctx, "dictionary", instance, map[string]string{
				"DICTIONARY_DATA_URL": data, "DICTIONARY_CACHE_DIR": filepath.Join(g.Dir, "words"), "DICTIONARY_MAX_RATE": strconv.Itoa(perReplica),
				"DICTIONARY_MAX_WAIT": "30s", "DRAIN_DELAY": "1s", "LOG_LEVEL": "WARN",
			})
		})
		if err != nil {
			return nil, err
		}
		layout = append(layout, shardEntry(name, 1, address))
		file += fmt.Sprintf("- {name: %s, service: shard-%s, replicas: %q, min: %d, max: 6}\n", name, name, address, least)
	}
	f.sharder, err = shardproxyBefore(ctx, g, "shardproxy", layout, map[string]string{
		// Who is slow is not away: on a busy machine a stand-in would answer for a shard, which is not what is asked here.
		"CHECK_INTERVAL": "200ms", "CHECK_TIMEOUT": "10s", "EJECT_AFTER": "0", "SHARDPROXY_WINDOW": "5s", "SHARDPROXY_SHARD_FIELD": "X-Shard", "LOG_LEVEL": "WARN",
	})
	if err != nil {
		return nil, err
	}
	if f.keys, err = f.keysOf(ctx, 100); err != nil {
		return nil, err
	}
	path := filepath.Join(g.Dir, "hotshards.yaml")
	if err := os.WriteFile(path, []byte(file), 0o644); err != nil {
		return nil, fmt.Errorf("file of hotshards: %w", err)
	}
	full := map[string]string{
		"HOTSHARDS_CONFIG_FILE": path, "HOTSHARDS_PROXIES": f.Upstream(), "HOTSHARDS_ORCHESTRATOR": "local", "HOTSHARDS_RUNNER_SOCKET": scaler.Socket,
		"HOTSHARDS_INTERVAL": "500ms", "HOTSHARDS_GROW_REST": "5s", "HOTSHARDS_COOL_REST": "5s", "HOTSHARDS_COLD_LOOKS": "10", "HOTSHARDS_FLOOR": "60", // requests per second are nothing to a replica of these
	}
	for k, v := range env {
		full[k] = v
	}
	f.controller, err = g.Service(ctx, "hotshards", "hotshards", full)
	return f, err
}

// keysOf finds n paths of each shard by asking the proxy. All are answered alike: the dictionary ignores the query.
func (f *hotFleet) keysOf(ctx context.Context, n int) (map[string][]string, error) {
	keys := map[string][]string{}
	missing := len(f.names) * n
	for i := 0; missing > 0; i++ {
		path := fmt.Sprintf("/v1/words/dog?n=%d", i)
		var place struct{ Owner string }
		if err := getJSON(ctx, "http://"+f.Admin+"/v1/shards?key="+strings.ReplaceAll(strings.ReplaceAll(path, "?", "%3F"), "=", "%3D"), &place); err != nil {
			return nil, err
		}
		if len(keys[place.Owner]) < n {
			keys[place.Owner] = append(keys[place.Owner], path)
			missing--
		}
	}
	return keys, nil
}

// a decision as the controller tells it.
type hotDecision struct {
	Kind, Shard, What, Outcome string
	Reasons                    []string
	Numbers                    *struct {
		Ratio float64 `json:"ratio"`
	}
}

// decisions are those that were made, the oldest first.
func (f *hotFleet) decisions(ctx context.Context) ([]hotDecision, error) {
	var all struct{ Decisions []hotDecision }
	if err := getJSON(ctx, "http://"+f.controller.Data+"/v1/decisions", &all); err != nil {
		return nil, err
	}
	list := make([]hotDecision, 0, len(all.Decisions))
	for i := len(all.Decisions) - 1; i >= 0; i-- {
		list = append(list, all.Decisions[i])
	}
	return list, nil
}

// nothingLost claims that no key was, that no shard answered for another and that no request failed; and that every decision
// tells why.
func (f *hotFleet) nothingLost(ctx context.Context, r *proof.Report, l *shardLoad, result openloop.Result) error {
	lost, all, err := f.lost(ctx)
	if err != nil {
		return err
	}
	r.Claim(proof.Exactly("keys lost", lost, 0, fmt.Sprintf("of %d", all)))
	r.Claim(proof.Exactly("answers of another shard than the key's", int(l.misplaced.Load()), 0, fmt.Sprintf("of %d", l.shots.Load())))
	r.Claim(proof.Exactly("requests failed", int(result.Failed), 0, fmt.Sprintf("of %d", l.shots.Load())))
	for why, n := range result.Reasons {
		r.Note("%d × %s", n, why)
	}
	decisions, err := f.decisions(ctx)
	if err != nil {
		return err
	}
	explained(r, decisions)
	return nil
}

// explained claims that every decision tells why, and shows them.
func explained(r *proof.Report, decisions []hotDecision) {
	without := 0
	t := proof.Table{Title: "What the controller has decided", Columns: []string{"decision", "became", "because"}}
	for _, d := range decisions {
		if len(d.Reasons) == 0 || d.Numbers == nil && d.Kind != "repair" {
			without++
		}
		t.Rows = append(t.Rows, []string{d.What, d.Outcome, strings.Join(d.Reasons, "; ")})
	}
	r.Table(t)
	r.Claim(proof.Exactly("decisions without a reason and its numbers", without, 0, fmt.Sprintf("of %d", len(decisions))))
}

package experiments

import (
	"context"
	"fmt"
	"slices"

	"github.com/flotilla-dev/flotilla/loadtest/chart"
	"github.com/flotilla-dev/flotilla/loadtest/placing"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
)

// keysMoved places the same keys on ten shards and on eleven.
func keysMoved(_ context.Context, r *proof.Report) error {
	keys := placing.Targets(shardKeys)
	few, err := placing.Functions(placing.Shards(10))
	if err != nil {
		return err
	}
	many, err := placing.Functions(placing.Shards(11))
	if err != nil {
		return err
	}
	t := proof.Table{Title: "100,000 keys when ten shards become eleven", Columns: []string{"function", "moved", "to the new shard", "between two that stay"}}
	bars := chart.Bars{Title: "Keys that move when ten shards become eleven", Note: "dashed: the new shard's share, 1/11", Unit: "% of all keys"}
	const fair = 100.0 / 11
	for i, p := range few {
		moved, between := placing.Moved(p.Place(keys), many[i].Place(keys), 10)
		all, needless := 100*float64(moved)/shardKeys, 100*float64(between)/shardKeys
		t.Rows = append(t.Rows, []string{p.Name, fmt.Sprintf("%.2f %%", all), fmt.Sprintf("%.2f %%", all-needless), fmt.Sprintf("%.2f %%", needless)})
		bars.Rows = append(bars.Rows, chart.Row{Label: p.Name, Value: all, Target: fair, Bad: p.Name == "modulo"})
		claimMoves(r, p.Name, all, needless)
	}
	r.Table(t)
	r.Note("The shards are of equal weight and named 10.0.0.1:8080 and so on; the eleventh is last in the list, as jump needs it. Bounded loads: %v times the mean, each key a load of one, keys one after another: a key that found its shard full moves when the shards have more room.", placing.Bound)
	return r.Chart("moved", bars)
}

// claimMoves claims what a function promises.
func claimMoves(r *proof.Report, name string, all, needless float64) {
	const fair = 100.0 / 11
	switch {
	case name == "modulo":
		r.Claim(proof.That("modulo: keys that move", "about 10/11, 90.9 % ± 1", fmt.Sprintf("%.2f %%", all), all > 100*10.0/11-1 && all < 100*10.0/11+1))
		return
	case slices.Contains([]string{"ketama", "nginx", "jump", "rendezvous", "maglev"}, name):
		r.Claim(proof.That(name+": keys that move", "within 1.5 points of 9.09 %", fmt.Sprintf("%.2f %%", all), all > fair-1.5 && all < fair+1.5))
	default:
		r.Measured(name+": keys that move", all, "%")
	}
	if slices.Contains([]string{"ketama", "nginx", "jump", "rendezvous"}, name) {
		r.Claim(proof.Exactly(name+": keys that move between two shards that stay", int(needless*shardKeys/100+0.5), 0, "keys"))
		return
	}
	r.Measured(name+": keys that move between two shards that stay", needless, "%")
}

// hotPercent of the requests of loadsEven are for one key.
const hotPercent = 50

// loadsEven counts the keys of each shard.
func loadsEven(_ context.Context, r *proof.Report) error {
	keys := placing.Targets(shardKeys)
	hot := placing.Popular(keys, hotPercent)
	t := proof.Table{Title: "Load of the fullest of ten shards beside the mean, 100,000 requests", Columns: []string{"function", "a key each", "a key each, one shard of weight 3", "half for one key"}}
	equal, unequal := placing.Shards(10), placing.Shards(10)
	unequal[4].Weight = 3
	one, err := placing.Functions(equal)
	if err != nil {
		return err
	}
	three, err := placing.Functions(unequal)
	if err != nil {
		return err
	}
	for i, p := range one {
		even, weighted := placing.Fullest(p.Place(keys), equal), placing.Fullest(three[i].Place(keys), unequal)
		skewed := placing.Fullest(p.Place(hot), equal)
		t.Rows = append(t.Rows, []string{p.Name, fmt.Sprintf("%.3f", even), fmt.Sprintf("%.3f", weighted), fmt.Sprintf("%.3f", skewed)})
		switch {
		case p.Bounded != nil:
			// A bound is rounded up to a whole request.
			r.Claim(proof.AtMost(p.Name+": max/mean", even, placing.Bound+10.0/shardKeys, "×"))
			r.Claim(proof.AtMost(p.Name+": max/mean where half of all requests are for one key", skewed, placing.Bound+10.0/shardKeys, "×"))
		case p.Name == "ketama" || p.Name == "nginx":
			r.Claim(proof.AtMost(p.Name+": max/mean", even, 1.25, "×"))
		default:
			r.Claim(proof.AtMost(p.Name+": max/mean", even, 1.03, "×"))
		}
	}
	r.Table(t)
	r.Note("Chance alone leaves about 2 %% above the mean. A ring's arcs differ: with 160 points for a shard the standard deviation of its share is 8 %%. No function can spread a key: only bounded loads move what is too much of it on.")
	return nil
}

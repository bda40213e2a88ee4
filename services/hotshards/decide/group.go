package decide

import (
	"slices"
	"time"
)

// A Group is the shards that the same replicas serve, and how it is beside the others.
type Group struct {
	Home       string        `json:"home"` // whose replicas they are
	Shards     []string      `json:"shards"`
	Rate       float64       `json:"rate_per_second"`
	Replicas   int           `json:"replicas"` // that are ready
	PerReplica float64       `json:"rate_per_replica"`
	Level      float64       `json:"level"`      // of the others with their least replicas, or the floor
	Ratio      float64       `json:"ratio"`      // PerReplica / Level: is it hot?
	Others     float64       `json:"others"`     // the same with the replicas that they have
	ColdRatio  float64       `json:"cold_ratio"` // PerReplica / Others: is it cold?
	P99        time.Duration `json:"-"`
	OthersP99  time.Duration `json:"-"` // the mean of the others

	HotLooks  int `json:"hot_looks"` // in a row
	CoolLooks int `json:"cool_looks"`
	WarmLooks int `json:"warm_looks"`
	ColdLooks int `json:"cold_looks"`

	home    *Shard
	alone   bool // there is nobody whose load it could be compared with
	settled bool // its replicas are as they were ordered, and nobody moves
}

// stranded says that there are guests, and nobody who serves them.
func (g *Group) stranded() bool { return g.shared() && g.home.Ready == 0 }

func (g *Group) shared() bool { return len(g.Shards) > 1 || g.Shards[0] != g.Home }

// groups puts the shards of a world together, in its order, and compares each group with the others.
func groups(w World, p Policy) []Group {
	var all []Group
	for i := range w.Shards {
		home := &w.Shards[i]
		g := Group{Home: home.Name, Replicas: max(home.Ready, 1), home: home, settled: home.Ready == home.Want}
		for _, s := range w.Shards {
			if s.Host != home.Name {
				continue
			}
			g.Shards = append(g.Shards, s.Name)
			g.Rate += s.Rate
			g.P99 = max(g.P99, s.P99)
			g.settled = g.settled && !s.Unsettled
		}
		if len(g.Shards) > 0 {
			g.PerReplica = g.Rate / float64(g.Replicas)
			all = append(all, g)
		}
	}
	for i := range all {
		g := &all[i]
		g.Level, g.alone = level(w, p, least, g.Shards...)
		g.Others, _ = level(w, p, now, g.Shards...)
		g.OthersP99 = othersP99(all, g.Home)
		g.Ratio, g.ColdRatio = ratio(g.PerReplica, g.Level), ratio(g.PerReplica, g.Others)
	}
	return all
}

// level is the mean of what each replica of the shards beside these gets, with the replicas that count says. Shards that are
// down do not count: that nobody asks them, or asks in vain, makes nobody else hot. alone is that there are no others.
func level(w World, p Policy, count func(Shard) int, beside ...string) (level float64, alone bool) {
	sum, n := 0.0, 0
	for _, s := range w.Shards {
		if !s.down && !slices.Contains(beside, s.Name) {
			sum += s.Rate / float64(max(count(s), 1))
			n++
		}
	}
	if n == 0 {
		return p.Floor, true
	}
	return max(sum/float64(n), p.Floor), false
}

// least is the replicas that a shard has at least, at home.
func least(s Shard) int { return s.Min }

// now is the replicas that a shard has; a guest counts as if it were at home.
func now(s Shard) int {
	if s.Host == s.Name {
		return max(s.Min, s.Want)
	}
	return s.Min
}

// othersP99 is the mean over the other groups that had requests.
func othersP99(all []Group, without string) time.Duration {
	sum, n := time.Duration(0), time.Duration(0)
	for i := range all {
		if all[i].Home != without && all[i].P99 > 0 {
			sum += all[i].P99
			n++
		}
	}
	if n == 0 {
		return 0
	}
	return sum / n
}

func (g *Group) late(p Policy) bool {
	return g.P99 >= p.LateFloor && g.OthersP99 > 0 && float64(g.P99) >= p.Late*float64(g.OthersP99)
}

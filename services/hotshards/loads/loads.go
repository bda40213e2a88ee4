package loads

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Shard is what all proxies together know of one.
type Shard struct {
	Name     string
	Weight   int
	State    string // the worst: lost before draining before active
	Requests uint64 // since the proxies started
	Errors   uint64 // answers with a status of 500 or above
	Rate     float64
	Share    float64 // of the rates of all
	P50, P99 time.Duration
	InFlight int64
	Places   []Place // distinct, the most proxies first
	Leaving  bool    // a proxy still has requests at replicas that served it before
	Replicas []Replica
}

// A Place is an address at which proxies find the replicas of a shard.
type Place struct {
	Replicas string
	Proxies  int
}

// A Replica is how the proxies find one: usable only if all of them do.
type Replica struct {
	Name   string `json:"name"`
	Usable bool   `json:"usable"`
}

// A View is what a look has found.
type View struct {
	Proxies int
	Window  time.Duration // the longest over which a proxy measures
	Shards  []Shard       // in the order of the layout
}

// An answer is what one proxy says: the part of its API that matters here.
type answer struct {
	proxy  string
	shards []shardReport
	layout layout
}

type shardReport struct {
	Name     string  `json:"name"`
	Weight   int     `json:"weight"`
	State    string  `json:"state"`
	InFlight int64   `json:"in_flight"`
	Requests uint64  `json:"requests_total"`
	Errors   uint64  `json:"errors_total"`
	Rate     float64 `json:"rate_per_second"`
	P50      float64 `json:"p50_seconds"`
	P99      float64 `json:"p99_seconds"`
	Window   float64 `json:"window_seconds"`
	Replicas []struct {
		Name   string `json:"name"`
		Usable bool   `json:"usable"`
	} `json:"replicas"`
}

// A layout is that of a proxy; what POST /v1/plan takes.
type layout struct {
	Key      string        `json:"key"`
	Function string        `json:"function"`
	Bounded  float64       `json:"bounded_load"`
	Shards   []layoutShard `json:"shards"`
}

type layoutShard struct {
	Name     string `json:"name"`
	Weight   int    `json:"weight"`
	State    string `json:"state"`
	Replicas string `json:"replicas"`
}

func (l *layout) names() string {
	var names []string
	for _, s := range l.Shards {
		names = append(names, s.Name)
	}
	return strings.Join(names, ", ")
}

const leaving = "leaving"

// severity orders states: what one proxy has lost is told, though another still has it.
var severity = map[string]int{"active": 0, "draining": 1, "lost": 2}

// merge puts the answers of proxies together.
func merge(all []answer) (View, error) {
	v := View{Proxies: len(all)}
	if len(all) == 0 {
		return v, fmt.Errorf("no proxy is known")
	}
	for _, s := range all[0].layout.Shards {
		v.Shards = append(v.Shards, Shard{Name: s.Name, State: "active"})
	}
	for _, a := range all {
		if a.layout.names() != all[0].layout.names() {
			return v, fmt.Errorf("proxy %s has the shards %s, proxy %s has %s", a.proxy, a.layout.names(), all[0].proxy, all[0].layout.names())
		}
		for i, s := range a.layout.Shards {
			v.Shards[i].place(s.Replicas)
		}
		for _, r := range a.shards {
			at := slices.IndexFunc(v.Shards, func(s Shard) bool { return s.Name == r.Name })
			if at < 0 {
				continue // it leaves for good
			}
			if r.State == leaving {
				v.Shards[at].Leaving = true
				continue
			}
			v.Shards[at].add(r)
			v.Window = max(v.Window, seconds(r.Window))
		}
	}
	total := 0.0
	for i := range v.Shards {
		total += v.Shards[i].Rate
	}
	for i := range v.Shards {
		s := &v.Shards[i]
		if total > 0 {
			s.Share = s.Rate / total
		}
		slices.SortStableFunc(s.Places, func(a, b Place) int { return b.Proxies - a.Proxies })
	}
	return v, nil
}

func (s *Shard) place(replicas string) {
	if i := slices.IndexFunc(s.Places, func(p Place) bool { return p.Replicas == replicas }); i >= 0 {
		s.Places[i].Proxies++
		return
	}
	s.Places = append(s.Places, Place{replicas, 1})
}

func (s *Shard) add(r shardReport) {
	s.Weight = r.Weight
	s.Requests += r.Requests
	s.Errors += r.Errors
	s.Rate += r.Rate
	s.InFlight += r.InFlight
	s.P50, s.P99 = max(s.P50, seconds(r.P50)), max(s.P99, seconds(r.P99))
	if severity[r.State] > severity[s.State] {
		s.State = r.State
	}
	for _, one := range r.Replicas {
		if i := slices.IndexFunc(s.Replicas, func(r Replica) bool { return r.Name == one.Name }); i >= 0 {
			s.Replicas[i].Usable = s.Replicas[i].Usable && one.Usable
			continue
		}
		s.Replicas = append(s.Replicas, Replica{one.Name, one.Usable})
	}
}

func seconds(f float64) time.Duration { return time.Duration(f * float64(time.Second)) }

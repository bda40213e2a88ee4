package shardproxy

import (
	"time"

	"github.com/flotilla-dev/flotilla/internal/upstream"
	"github.com/flotilla-dev/flotilla/services/shardproxy/layout"
)

// The states of a shard, as they are shown.
const (
	stateActive   = layout.Active
	stateDraining = layout.Draining
	stateLost     = "lost"    // no replica can be used
	stateLeaving  = "leaving" // in no table any more, with requests that it finishes
)

// A shardReport is the state of one shard.
type shardReport struct {
	Name     string   `json:"name"`
	Weight   int      `json:"weight"`
	State    string   `json:"state"`
	Replicas []report `json:"replicas"`
	InFlight int64    `json:"in_flight"`
	Requests uint64   `json:"requests_total"`
	Errors   uint64   `json:"errors_total"` // statuses of 500 and above
	Rate     float64  `json:"rate_per_second"`
	P50      float64  `json:"p50_seconds"` // until the head of an answer
	P99      float64  `json:"p99_seconds"`
	Share    float64  `json:"share"`        // of all requests in the window
	Expected float64  `json:"weight_share"` // of the weights of those that do not drain
	StandIns uint64   `json:"stand_ins_total"`
	Hits     uint64   `json:"cache_hits_total"`
	Misses   uint64   `json:"cache_misses_total"`
	HitRatio *float64 `json:"cache_hit_ratio"` // in the window; null: no answer had Cache-Status
	Window   float64  `json:"window_seconds"`
}

// A report is the state of one replica.
type report struct {
	Name     string            `json:"name"`
	Addr     string            `json:"addr"`
	State    string            `json:"state"`
	Usable   bool              `json:"usable"`
	Ejected  bool              `json:"ejected"`
	InFlight int64             `json:"in_flight"`
	Latency  float64           `json:"latency_seconds"`
	Cause    string            `json:"cause,omitempty"`
	Outcomes map[string]uint64 `json:"outcomes"`
}

// report tells the state of all shards: those of the table in its order, then those that
// leave.
func (p *proxy) report() []shardReport {
	t := p.table.Load()
	if t == nil {
		return nil
	}
	all := make([]shardReport, 0, len(t.shards)+1)
	requests, weights := uint64(0), 0
	inWindow := make([]uint64, 0, len(t.shards)+1)
	for i, s := range t.shards {
		one, n := p.reportOf(s, t.Shards[i].Weight)
		switch {
		case t.Shards[i].Draining:
			one.State = stateDraining
		case s.lost():
			one.State = stateLost
		}
		if !t.Shards[i].Draining {
			weights += one.Weight
		}
		requests += n
		all, inWindow = append(all, one), append(inWindow, n)
	}
	p.mu.Lock()
	leaving := append([]*shard(nil), p.leaving...)
	p.mu.Unlock()
	for _, s := range leaving {
		one, n := p.reportOf(s, 0)
		one.State = stateLeaving
		if t.has(s.name) { // another one has taken its name, and what is counted under it
			n = 0
		}
		requests += n
		all, inWindow = append(all, one), append(inWindow, n)
	}
	for i := range all {
		all[i].Share = float64(inWindow[i]) / float64(max(requests, 1))
		if all[i].State == stateActive || all[i].State == stateLost {
			all[i].Expected = float64(all[i].Weight) / float64(max(weights, 1))
		}
	}
	return all
}

func (p *proxy) reportOf(s *shard, weight int) (one shardReport, inWindow uint64) {
	whole, _ := s.load.series.Whole()
	lately := s.load.series.Window()
	cached := s.load.cached.Window()
	one = shardReport{
		Name: s.name, Weight: weight, State: stateActive, InFlight: s.load.inFlight.Load(),
		Requests: whole.Requests, Errors: whole.Errors, Rate: lately.Rate(), P50: lately.P50.Seconds(), P99: lately.P99.Seconds(),
		StandIns: s.load.standIns.Load(), Hits: s.load.hits.Load(), Misses: s.load.misses.Load(), Window: p.cfg.Window.Seconds(),
	}
	if cached.Requests > 0 {
		ratio := 1 - cached.ErrorShare()
		one.HitRatio = &ratio
	}
	snapshot := s.Snapshot()
	one.Replicas = make([]report, 0, len(snapshot.Endpoints))
	for _, e := range append(snapshot.Endpoints, snapshot.Draining...) {
		one.Replicas = append(one.Replicas, reportOfReplica(e))
	}
	return one, lately.Requests
}

func reportOfReplica(e upstream.EndpointSnapshot) report {
	latency, err := time.ParseDuration(e.Latency)
	if err != nil {
		latency = 0
	}
	return report{Name: e.Name, Addr: e.Addr, State: e.State, Usable: e.Usable, Ejected: e.EjectedUntil != nil, InFlight: e.InFlight,
		Latency: latency.Seconds(), Cause: e.Cause, Outcomes: e.Outcomes}
}

package hotshards

import (
	"fmt"
	"slices"
	"time"

	"github.com/flotilla-dev/flotilla/services/hotshards/decide"
	"github.com/flotilla-dev/flotilla/services/hotshards/loads"
)

// A moment says how old an answer is.
type moment struct {
	At      time.Time `json:"at"` // of the last look that found everything
	Fresh   bool      `json:"fresh"`
	Missing string    `json:"missing,omitempty"` // at the newest look
}

// A report is what the controller sees.
type report struct {
	moment
	Window   float64       `json:"window_seconds"`
	Proxies  int           `json:"proxies"`
	Replicas int           `json:"replicas"` // of all shards together, as they were ordered
	Budget   int           `json:"budget"`
	Shards   []shardReport `json:"shards"`
}

// A shardReport is a shard as the proxies and the orchestrator have it.
type shardReport struct {
	Name     string          `json:"name"`
	State    string          `json:"state"` // at the proxies, the worst
	Service  string          `json:"service"`
	Host     string          `json:"host"` // whose replicas serve it
	Moving   bool            `json:"moving"`
	Min      int             `json:"min"`
	Max      int             `json:"max"`
	Ordered  int             `json:"ordered"`
	Ready    int             `json:"ready"`
	Rate     float64         `json:"rate_per_second"`
	Share    float64         `json:"share"`
	P50      float64         `json:"p50_seconds"`
	P99      float64         `json:"p99_seconds"`
	Requests uint64          `json:"requests_total"`
	Errors   uint64          `json:"errors_total"`
	Replicas []loads.Replica `json:"replicas"` // that the proxies know
	Group    decide.Group    `json:"group"`
}

func (c *controller) moment(s shown) moment {
	return moment{At: s.at.UTC(), Fresh: s.failed == "" && c.now().Sub(s.at) <= c.fresh(), Missing: s.failed}
}

func (c *controller) report() (report, error) {
	s := c.state()
	if s.at.IsZero() {
		return report{}, unknown()
	}
	r := report{moment: c.moment(s), Window: s.sight.view.Window.Seconds(), Proxies: s.sight.view.Proxies, Replicas: s.sight.world.Replicas(), Budget: c.cfg.Budget}
	for _, w := range s.sight.world.Shards {
		load, err := find(s.sight.view, w.Name)
		if err != nil {
			return report{}, err
		}
		one := shardReport{
			Name: w.Name, State: load.State, Service: c.entry(w.Name).Service, Host: w.Host, Moving: w.Unsettled, Min: w.Min, Max: w.Max, Ordered: w.Want, Ready: w.Ready,
			Rate: load.Rate, Share: load.Share, P50: load.P50.Seconds(), P99: load.P99.Seconds(), Requests: load.Requests, Errors: load.Errors,
			Replicas: append([]loads.Replica{}, load.Replicas...),
		}
		if i := slices.IndexFunc(s.verdict.Groups, func(g decide.Group) bool { return g.Home == w.Host }); i >= 0 {
			one.Group = s.verdict.Groups[i]
		}
		r.Shards = append(r.Shards, one)
	}
	return r, nil
}

// A plan is what the controller would do now.
type plan struct {
	moment
	DryRun     bool              `json:"dry_run"`
	Busy       string            `json:"busy,omitempty"` // what is being changed
	Next       *decide.Decision  `json:"next"`           // what is to be made now; null: nothing
	Candidates []decide.Decision `json:"candidates"`     // by urgency, with what they wait for
}

func (c *controller) plan() (plan, error) {
	s := c.state()
	if s.at.IsZero() {
		return plan{}, unknown()
	}
	p := plan{moment: c.moment(s), DryRun: bool(c.cfg.DryRun), Busy: s.busy, Candidates: append([]decide.Decision{}, s.verdict.Candidates...)}
	if d, now := s.verdict.Next(); now && p.Fresh {
		p.Next = &d
	}
	return p, nil
}

// The methods below write numbers for people.

// PerSecond is the rate.
func (s shardReport) PerSecond() string { return fmt.Sprintf("%.1f", s.Rate) }

// Percent is the share of the load.
func (s shardReport) Percent() string { return fmt.Sprintf("%.1f %%", 100*s.Share) }

// Tail is the 99th percentile.
func (s shardReport) Tail() string { return fmt.Sprintf("%.1f ms", 1000*s.P99) }

// PerReplica is the load of a replica of its group.
func (s shardReport) PerReplica() string { return fmt.Sprintf("%.1f", s.Group.PerReplica) }

// Ratio is that beside the others.
func (s shardReport) Ratio() string { return fmt.Sprintf("%.2f", s.Group.Ratio) }

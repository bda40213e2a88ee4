package decide

import (
	"fmt"
	"slices"
	"time"
)

// A Kind of change.
type Kind string

// The kinds, by urgency.
const (
	Prepare Kind = "prepare" // a guest's home gets its replicas back, before it moves there
	Part    Kind = "part"    // a guest moves home
	Grow    Kind = "grow"    // replicas are added
	Retire  Kind = "retire"  // a home that serves nobody gives its replicas up
	Shrink  Kind = "shrink"  // a replica is taken away
	Join    Kind = "join"    // a shard becomes a guest at another one's replicas
)

// Kinds are all of them.
var Kinds = []Kind{Prepare, Part, Grow, Retire, Shrink, Join}

// adds tells whether it is done for a shard that is in need.
func (k Kind) adds() bool { return k == Prepare || k == Part || k == Grow }

// Moves tells whether it changes where a shard is served, and not how many replicas there are.
func (k Kind) Moves() bool { return k == Part || k == Join }

// A Decision is a change, why it is made, and the numbers that it was made of.
type Decision struct {
	Kind    Kind     `json:"kind"`
	Shard   string   `json:"shard"`          // whose replicas change, or who moves
	From    int      `json:"from,omitempty"` // replicas
	To      int      `json:"to,omitempty"`
	Host    string   `json:"host,omitempty"`     // of a move: where to
	OldHost string   `json:"old_host,omitempty"` // and where from
	Reasons []string `json:"reasons"`
	Waits   []string `json:"waits,omitempty"` // why it is not made yet; of a decision that is made, none
	Numbers Numbers  `json:"numbers"`

	blocked bool // by a bound, which time does not lift
}

// Numbers are what a decision was made of.
type Numbers struct {
	Rate       float64 `json:"rate_per_second"`
	PerReplica float64 `json:"rate_per_replica"`
	Level      float64 `json:"level"`
	Ratio      float64 `json:"ratio"`
	P99        float64 `json:"p99_seconds"`
	OthersP99  float64 `json:"others_p99_seconds"`
	Looks      int     `json:"looks"` // for which the condition has held
	Replicas   int     `json:"replicas_of_all"`
	Budget     int     `json:"budget"`
}

// Same tells whether two decisions are about the same change.
func (d Decision) Same(o Decision) bool {
	return d.Kind == o.Kind && d.Shard == o.Shard && d.From == o.From && d.To == o.To && d.Host == o.Host
}

// Blocked tells whether a decision waits for nothing but a bound: the budget, or the most replicas of a shard.
func (d Decision) Blocked() bool { return d.blocked && len(d.Waits) == 1 }

func (d Decision) String() string {
	switch d.Kind {
	case Part:
		return fmt.Sprintf("shard %s moves home from the replicas of %s", d.Shard, d.OldHost)
	case Join:
		return fmt.Sprintf("shard %s moves to the replicas of %s", d.Shard, d.Host)
	}
	return fmt.Sprintf("shard %s: %d replicas become %d", d.Shard, d.From, d.To)
}

// A Verdict is what a look has found.
type Verdict struct {
	At         time.Time
	Groups     []Group
	Candidates []Decision // by urgency
}

// Next is the decision to be made now, if there is one.
func (v Verdict) Next() (Decision, bool) {
	if i := slices.IndexFunc(v.Candidates, func(d Decision) bool { return len(d.Waits) == 0 }); i >= 0 {
		return v.Candidates[i], true
	}
	return Decision{}, false
}

// Blocked is the first decision that waits for nothing but a bound.
func (v Verdict) Blocked() (Decision, bool) {
	if i := slices.IndexFunc(v.Candidates, Decision.Blocked); i >= 0 {
		return v.Candidates[i], true
	}
	return Decision{}, false
}

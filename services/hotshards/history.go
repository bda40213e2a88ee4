package hotshards

import (
	"sync"
	"time"

	"github.com/flotilla-dev/flotilla/services/hotshards/decide"
)

// decided is a decision, or a repair.
type decided struct {
	decide.Decision
	Repair *repair
}

func (d decided) kind() string {
	if d.Repair != nil {
		return kindRepair
	}
	return string(d.Kind)
}

func (d decided) String() string {
	if d.Repair != nil {
		return "shard " + d.Repair.shard + " is served by the replicas of " + d.Repair.host + ", at all proxies"
	}
	return d.Decision.String()
}

func (d decided) same(o decided) bool {
	if d.Repair != nil || o.Repair != nil {
		return d.Repair != nil && o.Repair != nil && *d.Repair == *o.Repair
	}
	return d.Decision.Same(o.Decision)
}

func (d decided) reasons() []string {
	if d.Repair != nil {
		return []string{d.Repair.reason}
	}
	return d.Reasons
}

// attributes are those of a log line.
func (d decided) attributes() []any {
	list := []any{"kind", d.kind(), "what", d.String(), "reasons", d.reasons()}
	if d.Repair == nil {
		list = append(list, "rate", d.Numbers.Rate, "per_replica", d.Numbers.PerReplica, "level", d.Numbers.Level, "ratio", d.Numbers.Ratio,
			"p99", d.Numbers.P99, "others_p99", d.Numbers.OthersP99, "looks", d.Numbers.Looks, "replicas", d.Numbers.Replicas)
	}
	return list
}

const kindRepair = "repair"

// What became of a decision.
const (
	outcomeApplied = "applied"
	outcomeFailed  = "failed"  // the log tells why
	outcomeBlocked = "blocked" // by a bound
	outcomeDryRun  = "dry-run"
)

var outcomes = []string{outcomeApplied, outcomeFailed, outcomeBlocked, outcomeDryRun}

// A record is a decision and what became of it.
type record struct {
	Number  uint64          `json:"number"` // from 1 on, since the process started
	At      time.Time       `json:"at"`     // when that was known
	Kind    string          `json:"kind"`
	Shard   string          `json:"shard"`
	What    string          `json:"what"`
	Outcome string          `json:"outcome"`
	From    int             `json:"from,omitempty"`
	To      int             `json:"to,omitempty"`
	Host    string          `json:"host,omitempty"`
	Reasons []string        `json:"reasons"`
	Waits   []string        `json:"waits,omitempty"`
	Numbers *decide.Numbers `json:"numbers,omitempty"` // a repair has none
}

// A history keeps the newest records.
type history struct {
	most int

	mu      sync.Mutex // guards all below
	records []record   // the newest last
	count   uint64
}

func (h *history) add(d decided, outcome string, at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.count++
	r := record{Number: h.count, At: at.UTC(), Kind: d.kind(), What: d.String(), Outcome: outcome, Reasons: d.reasons()}
	if d.Repair != nil {
		r.Shard, r.Host = d.Repair.shard, d.Repair.host
	} else {
		numbers := d.Numbers
		r.Shard, r.Host, r.From, r.To, r.Waits, r.Numbers = d.Shard, d.Host, d.From, d.To, d.Waits, &numbers
	}
	if len(h.records) == h.most {
		h.records = append(h.records[:0], h.records[1:]...)
	}
	h.records = append(h.records, r)
}

// newest returns up to limit records, the newest first.
func (h *history) newest(limit int) []record {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := make([]record, 0, min(limit, len(h.records)))
	for i := len(h.records) - 1; i >= 0 && len(list) < limit; i-- {
		list = append(list, h.records[i])
	}
	return list
}

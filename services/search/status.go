package search

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/flotilla-dev/flotilla/internal/upstream"
)

// A Status is what the root knows of its leaves, without asking them.
type Status struct {
	Distribution Distribution  `json:"distribution"`
	Topic        string        `json:"topic"`
	Placement    string        `json:"placement"`
	Refused      string        `json:"layout_refused,omitempty"` // why the layout file of now was not taken
	Documents    int64         `json:"documents"`                // in all shards, as far as they were heard of
	Shards       []ShardStatus `json:"shards"`
	Calls        []CallStatus  `json:"calls"`
	Hedges       HedgeStatus   `json:"hedges"`
	Active       int           `json:"active"`  // searches under way
	Waiting      int64         `json:"waiting"` // searches that wait for their turn
	Writable     bool          `json:"writable"`

	Control *ControlStatus `json:"control,omitempty"` // none: this layout serves for ever
}

// A ShardStatus is one of a shard.
type ShardStatus struct {
	Shard     int                         `json:"shard"`
	Documents int64                       `json:"documents"` // when it was last heard of; -1: never
	Usable    int                         `json:"usable"`
	Replicas  []upstream.EndpointSnapshot `json:"replicas"`
}

// A CallStatus is one of a kind of calls.
type CallStatus struct {
	Kind    string  `json:"kind"`
	HedgeMS float64 `json:"hedge_after_ms"`
}

// A HedgeStatus tells of the budget.
type HedgeStatus struct {
	Quantile float64 `json:"quantile"`
	Budget   float64 `json:"budget"` // share of calls
	Allowed  uint64  `json:"allowed"`
	Refused  uint64  `json:"refused"`
}

func (s *server) status(c echo.Context) error {
	t := s.fleet.hold()
	defer t.release()
	_, refused := s.fleet.state()
	allowed, no := s.hedges.Counts()
	status := Status{Distribution: s.cfg.Distribution, Topic: t.layout.Topic, Placement: t.layout.Placement, Writable: t.log != nil,
		Hedges: HedgeStatus{s.cfg.HedgeQuantile, s.cfg.HedgeBudget, allowed, no}, Active: s.searches.Inside(), Waiting: s.searches.Waiting()}
	status.Control = s.fleet.controlStatus(t)
	if refused != nil {
		status.Refused = oneLine(refused)
	}
	for i, shard := range t.shards {
		snapshot := shard.pool.Snapshot()
		n := shard.documents.Load()
		status.Documents += max(n, 0)
		status.Shards = append(status.Shards, ShardStatus{i, n, snapshot.Usable, snapshot.Endpoints})
	}
	for _, k := range s.engine.kinds.all() {
		status.Calls = append(status.Calls, CallStatus{k.Name, milliseconds(k.Delay())})
	}
	return c.JSON(http.StatusOK, status)
}

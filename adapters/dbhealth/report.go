package dbhealth

import (
	"errors"
	"time"
)

// Report is what GET /v1/health answers.
type Report struct {
	Live    bool   `json:"live"`
	Ready   bool   `json:"ready"`
	Reason  Reason `json:"reason"`           // why it is not ready, or ok
	Detail  string `json:"detail,omitempty"` // the same for people
	Late    bool   `json:"late"`             // a check is under way that should have ended
	Engine  Engine `json:"engine"`
	Version string `json:"version,omitempty"`

	Checked time.Time `json:"checked,omitzero"` // when the last check ended
	Took    float64   `json:"took_ms"`          // how long it took
	Rows    int       `json:"rows"`             // of the query
	Lag     *float64  `json:"lag_s,omitempty"`  // of a replica, where it is asked for
	Pulse   Pulse     `json:"pulse"`            // whether it says anything
	Since   time.Time `json:"pulse_since,omitzero"`
	Limit   float64   `json:"pulse_limit_s,omitempty"` // how long it may be so
}

func (m *monitor) report(s state) Report {
	r := Report{
		Live: m.alive(s), Ready: s.err == nil, Reason: reason(s.err), Late: s.late, Engine: m.cfg.Engine, Version: s.found.version,
		Checked: s.checked, Took: float64(s.took.Microseconds()) / 1000, Rows: s.found.rows,
		Pulse: s.pulse, Since: s.since, Limit: m.limit(s.pulse).Seconds(),
	}
	var v *verdict
	if errors.As(s.err, &v) {
		r.Detail = v.detail
	}
	if s.found.replica {
		lag := s.found.lag.Seconds()
		r.Lag = &lag
	}
	return r
}

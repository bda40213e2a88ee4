package upstream

import (
	"slices"
	"strings"
	"time"
)

// A Snapshot is the state of a pool for people, as JSON on an administration
// page.
type Snapshot struct {
	Upstream  string             `json:"upstream"`
	Address   string             `json:"address"`
	Policy    string             `json:"policy"`
	Usable    int                `json:"usable"`
	Panic     bool               `json:"panic"` // all are ejected, so all are used
	Problem   string             `json:"problem,omitempty"`
	Endpoints []EndpointSnapshot `json:"endpoints"`
	Draining  []EndpointSnapshot `json:"draining,omitempty"`
}

// An EndpointSnapshot is the state of one endpoint.
type EndpointSnapshot struct {
	Name         string            `json:"name"`
	Addr         string            `json:"addr"`
	AdminAddr    string            `json:"admin_addr,omitempty"`
	State        string            `json:"state"`
	Usable       bool              `json:"usable"`
	EjectedUntil *time.Time        `json:"ejected_until,omitempty"`
	Ejections    uint64            `json:"ejections"`
	Changes      uint64            `json:"state_changes"`
	InFlight     int64             `json:"in_flight"`
	Latency      string            `json:"latency"`
	Cause        string            `json:"cause,omitempty"`            // of the last check, a Cause
	LastError    string            `json:"last_check_error,omitempty"` // for people: programs look at Cause
	Outcomes     map[string]uint64 `json:"outcomes"`
}

// Usable returns how many endpoints can be used now. overridden tells that all of
// them are ejected, and used only because nothing else is left. It takes no lock.
func (p *Pool) Usable() (n int, overridden bool) {
	v := p.view.Load()
	return len(v.usable), v.panic
}

// Snapshot returns the present state.
func (p *Pool) Snapshot() Snapshot {
	p.mu.Lock()
	defer p.mu.Unlock()
	v := p.view.Load()
	s := Snapshot{
		Upstream:  p.options.Name,
		Address:   p.options.Address.String(),
		Policy:    string(p.options.Policy),
		Usable:    len(v.usable),
		Panic:     v.panic,
		Endpoints: make([]EndpointSnapshot, 0, len(p.members)),
	}
	if p.sourceErr != nil {
		s.Problem = p.sourceErr.Error()
	}
	for i, e := range p.members {
		one := e.snapshot()
		one.Usable = v.isUsable[i]
		s.Endpoints = append(s.Endpoints, one)
	}
	for e := range p.draining {
		s.Draining = append(s.Draining, e.snapshot())
	}
	slices.SortFunc(s.Draining, func(a, b EndpointSnapshot) int { return strings.Compare(a.Name, b.Name) })
	return s
}

// snapshot is called with pool.mu held.
func (e *Endpoint) snapshot() EndpointSnapshot {
	s := EndpointSnapshot{
		Name: e.Name(), Addr: e.Addr(), AdminAddr: e.AdminAddr(),
		State: e.health.state.String(), Cause: e.health.cause.String(), LastError: e.health.lastErr,
		Ejections: e.health.ejectedAll, Changes: e.health.changes,
		InFlight: e.InFlight(), Latency: e.Latency().String(),
		Outcomes: make(map[string]uint64, outcomes),
	}
	if until := e.health.ejectedUntil; !until.IsZero() {
		s.EjectedUntil = &until
	}
	for o := range outcomes {
		s.Outcomes[o.String()] = e.count[o].Load()
	}
	return s
}

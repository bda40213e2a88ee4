package pool

import "time"

// Status is the pool as operators see it.
type Status struct {
	Pool   string        `json:"pool"`
	Shards []ShardStatus `json:"shards"`
}

// ShardStatus is a shard as operators see it.
type ShardStatus struct {
	Name         string         `json:"name"`
	Weight       int            `json:"weight"`
	EjectedUntil *time.Time     `json:"ejected_until,omitempty"`
	Servers      []ServerStatus `json:"servers"`
}

// ServerStatus is a server as operators see it.
type ServerStatus struct {
	Addr        string `json:"addr"`
	Live        bool   `json:"live"` // false while it is set aside; its replicas stand in
	Connections int    `json:"connections"`
	InFlight    int    `json:"in_flight"`
}

// Status returns the pool as operators see it.
func (p *Pool) Status() Status {
	g := p.current.Load()
	s := Status{Pool: p.name}
	for i, server := range g.placement.Pool().Servers {
		one := ShardStatus{Name: server.Name, Weight: server.Weight}
		for _, r := range g.shards[i].Replicas() {
			one.Servers = append(one.Servers, ServerStatus{Addr: r.Addr(), Live: r.Live(), Connections: r.Connections(), InFlight: r.Waiting()})
		}
		if until := g.placement.Ejected(i); !until.IsZero() {
			until = until.UTC()
			one.EjectedUntil = &until
		}
		s.Shards = append(s.Shards, one)
	}
	return s
}

// State is a word for the whole shard: live, ejected, or degraded while replicas
// of it are set aside.
func (s ShardStatus) State() string {
	if s.EjectedUntil != nil {
		return "ejected"
	}
	for _, server := range s.Servers {
		if !server.Live {
			return "degraded"
		}
	}
	return "live"
}

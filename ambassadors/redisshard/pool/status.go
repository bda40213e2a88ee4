package pool

import "time"

// Status is the pool as operators see it.
type Status struct {
	Pool   string        `json:"pool"`
	Listen string        `json:"listen"`
	Shards []ShardStatus `json:"shards"`
}

// ShardStatus is a shard as operators see it.
type ShardStatus struct {
	Name         string     `json:"name"`
	Addr         string     `json:"addr"`
	Weight       int        `json:"weight"`
	Connections  int        `json:"connections"`
	InFlight     int        `json:"in_flight"`
	EjectedUntil *time.Time `json:"ejected_until,omitempty"`
}

// Status returns the pool as operators see it.
func (p *Pool) Status() Status {
	g := p.current.Load()
	c := g.placement.Pool()
	s := Status{Pool: c.Name, Listen: c.Listen}
	for i, server := range c.Servers {
		one := ShardStatus{Name: server.Name, Addr: server.Addr, Weight: server.Weight}
		one.Connections, one.InFlight = g.shards[i].Counts()
		if until := g.placement.Ejected(i); !until.IsZero() {
			until = until.UTC()
			one.EjectedUntil = &until
		}
		s.Shards = append(s.Shards, one)
	}
	return s
}

package session

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/flotilla-dev/flotilla/ambassadors/memcacheshard/wire"
)

// Metrics counts for all clients.
type Metrics struct {
	verbs          [wire.Verbs]atomic.Uint64
	failovers      prometheus.Counter
	refusals, cuts *prometheus.CounterVec
}

// NewMetrics registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	f := promauto.With(r)
	m := &Metrics{
		failovers: f.NewCounter(prometheus.CounterOpts{
			Name: "memcacheshard_failovers_total", Help: "Requests that were sent to another replica after one had failed.",
		}),
		refusals: f.NewCounterVec(prometheus.CounterOpts{
			Name: "memcacheshard_refused_total", Help: "Commands that were refused without asking a shard, by reason: client, protocol, noshard.",
		}, []string{"reason"}),
		cuts: f.NewCounterVec(prometheus.CounterOpts{
			Name: "memcacheshard_clients_cut_total", Help: "Clients that were cut off, by reason: memory, slow.",
		}, []string{"reason"}),
	}
	for _, reason := range []string{"client", "protocol", "noshard"} {
		m.refusals.WithLabelValues(reason)
	}
	for _, reason := range []string{"memory", "slow"} {
		m.cuts.WithLabelValues(reason)
	}
	for v := range wire.Verbs {
		f.NewCounterFunc(prometheus.CounterOpts{
			Name: "memcacheshard_commands_total", Help: "Commands of clients, by kind.", ConstLabels: prometheus.Labels{"kind": wire.Verb(v).String()},
		}, func() float64 { return float64(m.verbs[v].Load()) })
	}
	return m
}

func (m *Metrics) refused(reason string) { m.refusals.WithLabelValues(reason).Inc() }
func (m *Metrics) cut(reason string)     { m.cuts.WithLabelValues(reason).Inc() }

// commands adds what a session counted, and begins its count again.
func (m *Metrics) commands(verbs *[wire.Verbs]uint32) {
	for v, n := range verbs {
		if n > 0 {
			m.verbs[v].Add(uint64(n))
			verbs[v] = 0
		}
	}
}

// Commands is how many commands of a kind there were.
func (m *Metrics) Commands(v wire.Verb) uint64 { return m.verbs[v].Load() }

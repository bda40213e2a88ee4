package session

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Metrics counts for all clients.
type Metrics struct {
	refusals, cuts *prometheus.CounterVec
}

// NewMetrics registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	f := promauto.With(r)
	m := &Metrics{
		refusals: f.NewCounterVec(prometheus.CounterOpts{
			Name: "redisshard_refused_total",
			Help: "Commands that were refused without a shard, by reason: arguments, auth, crossshard, noshard, protocol, unknown, unsupported.",
		}, []string{"reason"}),
		cuts: f.NewCounterVec(prometheus.CounterOpts{
			Name: "redisshard_clients_cut_total", Help: "Clients that were cut off, by reason: replies (too many that they did not take), commands (too large ones of all, for too long).",
		}, []string{"reason"}),
	}
	for _, reason := range []string{"arguments", "auth", "crossshard", "noshard", "protocol", "unknown", "unsupported"} {
		m.refusals.WithLabelValues(reason)
	}
	m.cuts.WithLabelValues("replies")
	m.cuts.WithLabelValues("commands")
	return m
}

func (m *Metrics) refused(reason string) { m.refusals.WithLabelValues(reason).Inc() }
func (m *Metrics) cut(reason string)     { m.cuts.WithLabelValues(reason).Inc() }

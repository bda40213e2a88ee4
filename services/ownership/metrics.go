package ownership

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics are what a replica counts. The labels are closed sets.
type metrics struct {
	owned    prometheus.Gauge
	terms    *prometheus.CounterVec
	entries  *prometheus.CounterVec
	failures prometheus.Counter
}

// outcomes are all that can become of an entry at its owner.
var outcomes = []string{"recorded", "replayed", "refused", "fenced", "not-owner", "busy", "unknown"}

func newMetrics(r prometheus.Registerer) *metrics {
	with := promauto.With(r)
	m := &metrics{
		owned: with.NewGauge(prometheus.GaugeOpts{Name: "ownership_shards_owned", Help: "Shards that this replica owns."}),
		terms: with.NewCounterVec(prometheus.CounterOpts{Name: "ownership_terms_ended_total", Help: "Terms of this replica that have ended, by why."}, []string{"why"}),
		entries: with.NewCounterVec(prometheus.CounterOpts{
			Name: "ownership_entries_total", Help: "Entries that this replica dispatched as an owner, by what became of them.",
		}, []string{"outcome"}),
		failures: with.NewCounter(prometheus.CounterOpts{Name: "ownership_store_failures_total", Help: "Times that the store of owners could not be asked."}),
	}
	for _, why := range reasons {
		m.terms.WithLabelValues(why)
	}
	for _, o := range outcomes {
		m.entries.WithLabelValues(o)
	}
	return m
}

func (m *metrics) owns(more float64)    { m.owned.Add(more) }
func (m *metrics) ended(why string)     { m.terms.WithLabelValues(why).Inc() }
func (m *metrics) entry(outcome string) { m.entries.WithLabelValues(outcome).Inc() }
func (m *metrics) failed()              { m.failures.Inc() }

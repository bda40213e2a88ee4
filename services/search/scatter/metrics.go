package scatter

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/flotilla-dev/flotilla/internal/telemetry"
)

type metrics struct {
	registry prometheus.Registerer
	gather   *prometheus.HistogramVec
	calls    *prometheus.CounterVec
	hedges   *prometheus.CounterVec
	replaced *prometheus.CounterVec
	missing  *prometheus.CounterVec
}

// What becomes of a hedge.
const (
	hedgeSent    = "sent"
	hedgeWon     = "won"
	hedgeRefused = "refused" // by the budget
)

func newMetrics(registry prometheus.Registerer) *metrics {
	if registry == nil {
		registry = prometheus.NewRegistry() // which nobody reads
	}
	m := &metrics{
		registry: registry,
		gather: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "scatter_gather_duration_seconds", Help: "Time until the answers of all shards were gathered, or given up.", Buckets: telemetry.LatencyBuckets,
		}, []string{"kind"}),
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "scatter_calls_total", Help: "Calls to replicas by how they ended, hedges included.",
		}, []string{"kind", "outcome"}),
		hedges: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "scatter_hedges_total", Help: "Second calls for an answer that took long: sent, won (a part of those), refused by the budget.",
		}, []string{"kind", "result"}),
		replaced: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "scatter_replacements_total", Help: "Calls to another replica after one had failed.",
		}, []string{"kind"}),
		missing: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "scatter_missing_total", Help: "Shards without an answer, by reason.",
		}, []string{"kind", "reason"}),
	}
	registry.MustRegister(m.gather, m.calls, m.hedges, m.replaced, m.missing)
	return m
}

// watch shows all series of a kind from the beginning, so that a rate over them is right.
func (m *metrics) watch(k *Kind) {
	for _, result := range []string{hedgeSent, hedgeWon, hedgeRefused} {
		m.hedges.WithLabelValues(k.Name, result)
	}
	for _, reason := range reasons {
		m.missing.WithLabelValues(k.Name, string(reason))
	}
	m.replaced.WithLabelValues(k.Name)
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "scatter_hedge_delay_seconds", Help: "Time after which a call is hedged.", ConstLabels: prometheus.Labels{"kind": k.Name},
	}, func() float64 { return k.Delay().Seconds() }))
}

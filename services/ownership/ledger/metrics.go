package ledger

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// outcomes are all that can become of a request in the name of an owner.
var outcomes = []string{"recorded", "replayed", "admitted", "read", "stale", "out-of-sequence", "refused", "failed"}

type metrics struct{ requests *prometheus.CounterVec }

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{promauto.With(r).NewCounterVec(prometheus.CounterOpts{
		Name: "ledger_requests_total",
		Help: "Requests in the name of an owner, by what became of them; stale: the fence refused an owner of the past.",
	}, []string{"outcome"})}
	for _, o := range outcomes {
		m.requests.WithLabelValues(o)
	}
	return m
}

func (m *metrics) count(outcome string) { m.requests.WithLabelValues(outcome).Inc() }

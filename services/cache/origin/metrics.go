package origin

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/flotilla-dev/flotilla/internal/telemetry"
	"github.com/flotilla-dev/flotilla/internal/upstream"
)

// Metrics of a client. A nil *Metrics counts nothing.
type Metrics struct {
	errors  *prometheus.CounterVec
	retries prometheus.Counter
	latency prometheus.Histogram
}

// NewMetrics registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	f := promauto.With(r)
	return &Metrics{
		errors: f.NewCounterVec(prometheus.CounterOpts{Name: "cache_upstream_errors_total",
			Help: "Attempts that brought no usable answer, by reason."}, []string{"reason"}),
		retries: f.NewCounter(prometheus.CounterOpts{Name: "cache_upstream_retries_total",
			Help: "Requests repeated on another replica."}),
		latency: f.NewHistogram(prometheus.HistogramOpts{Name: "cache_upstream_seconds",
			Help: "Time to the head of an upstream answer.", Buckets: telemetry.LatencyBuckets}),
	}
}

func (m *Metrics) failed(reason string) {
	if m != nil {
		m.errors.WithLabelValues(reason).Inc()
	}
}

func (m *Metrics) retried() {
	if m != nil {
		m.retries.Inc()
	}
}

func (m *Metrics) answered(d time.Duration, o upstream.Outcome) {
	if m == nil {
		return
	}
	m.latency.Observe(d.Seconds())
	if o.Failed() {
		m.errors.WithLabelValues(o.String()).Inc()
	}
}

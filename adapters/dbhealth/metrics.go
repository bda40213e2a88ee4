package dbhealth

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flotilla-dev/flotilla/internal/telemetry"
)

type metrics struct {
	checks   *prometheus.CounterVec
	duration prometheus.Histogram
}

func newMetrics(registry prometheus.Registerer) *metrics {
	m := &metrics{
		checks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dbhealth_checks_total", Help: "Checks of the database by what they found: ok, or why it is not ready.",
		}, []string{"reason"}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "dbhealth_check_duration_seconds", Help: "Time of a check: connection, log-in and query.", Buckets: telemetry.LatencyBuckets,
		}),
	}
	for _, r := range reasons() {
		m.checks.WithLabelValues(string(r))
	}
	registry.MustRegister(m.checks, m.duration)
	return m
}

func (m *metrics) observe(r Reason, took time.Duration) {
	m.checks.WithLabelValues(string(r)).Inc()
	m.duration.Observe(took.Seconds())
}

// watch registers what the monitor knows. It asks nothing of the database.
func (m *monitor) watch(registry prometheus.Registerer) {
	is := func(name, help string, so func(state) bool) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
			m.mu.Lock()
			s := m.state
			m.mu.Unlock()
			if so(s) {
				return 1
			}
			return 0
		})
	}
	registry.MustRegister(
		is("dbhealth_database_live", "1 while the database is alive, as of the last check.", m.alive),
		is("dbhealth_database_ready", "1 while the database is ready, as of the last check.", func(s state) bool { return s.err == nil }),
	)
}

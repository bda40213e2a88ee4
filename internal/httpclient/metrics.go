package httpclient

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/internal/telemetry"
	"github.com/flotilla-dev/flotilla/internal/upstream"
)

// metrics of one client; names follow the semantic conventions of OpenTelemetry.
type metrics struct {
	duration *prometheus.HistogramVec
	active   prometheus.Gauge
}

func newMetrics(name string, budget *retry.Budget, registerer prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "http_client_request_duration_seconds", Buckets: telemetry.LatencyBuckets,
			Help: "Time of one attempt of a request, to the end of the answer's body.",
		}, []string{"http_request_method", "http_response_status_code", "outcome"}),
		active: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "http_client_active_requests", Help: "Attempts under way.",
		}),
	}
	if registerer == nil {
		return m, nil
	}
	retries := func(result, help string, count func() uint64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "http_client_retries_" + result + "_total", Help: help,
		}, func() float64 { return float64(count()) })
	}
	registerer = prometheus.WrapRegistererWith(prometheus.Labels{"upstream": name}, registerer)
	for _, c := range []prometheus.Collector{
		m.duration, m.active,
		retries("allowed", "Retries that the budget allowed.", func() uint64 { n, _ := budget.Counts(); return n }),
		retries("refused", "Retries that the budget refused.", func() uint64 { _, n := budget.Counts(); return n }),
	} {
		if err := registerer.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) observe(a *attempt, outcome upstream.Outcome) {
	status := ""
	if a.status != 0 {
		status = strconv.Itoa(a.status)
	}
	m.active.Dec()
	m.duration.WithLabelValues(a.method, status, outcome.String()).Observe(time.Since(a.began).Seconds())
}

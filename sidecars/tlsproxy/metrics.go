package tlsproxy

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/flotilla-dev/flotilla/internal/certs"
	"github.com/flotilla-dev/flotilla/internal/telemetry"
)

type metrics struct {
	active   prometheus.Gauge
	duration *prometheus.HistogramVec
	tunnels  prometheus.Gauge
	waited   prometheus.Counter
}

func newMetrics(r prometheus.Registerer, store *certs.Store) *metrics {
	m := &metrics{
		active: prometheus.NewGauge(prometheus.GaugeOpts{Name: "http_server_active_requests", Help: "Requests and tunnels in progress."}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "http_server_request_duration_seconds", Help: "Time to handle a request.", Buckets: telemetry.LatencyBuckets,
		}, []string{"http_request_method", "http_response_status_code"}),
		tunnels: prometheus.NewGauge(prometheus.GaugeOpts{Name: "tlsproxy_upgraded_connections", Help: "Open tunnels (WebSocket)."}),
		waited:  prometheus.NewCounter(prometheus.CounterOpts{Name: "tlsproxy_connect_retries_total", Help: "Connections to the application that were tried again because it refused one."}),
	}
	r.MustRegister(m.active, m.duration, m.tunnels, m.waited,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "tlsproxy_certificate_expiry_timestamp_seconds", Help: "When the certificate expires."},
			func() float64 { return float64(store.Status().Expiry.Unix()) }),
		reloads("ok", func() uint64 { return store.Status().Reloads }),
		reloads("refused", func() uint64 { return store.Status().Failures }))
	return m
}

func reloads(result string, count func() uint64) prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "tlsproxy_certificate_reloads_total", Help: "Changes of the certificate's files.", ConstLabels: prometheus.Labels{"result": result},
	}, func() float64 { return float64(count()) })
}

package edge

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flotilla-dev/flotilla/internal/certs"
	"github.com/flotilla-dev/flotilla/internal/guard"
	"github.com/flotilla-dev/flotilla/internal/telemetry"
)

// A protocol is what a client speaks.
type protocol uint8

const (
	http1 protocol = iota
	http2
	http3
	protocols
)

// protocolNames are what the access log calls them, as CGI does.
var protocolNames = [protocols]string{"HTTP/1.1", "HTTP/2.0", "HTTP/3.0"}

// protocolVersions are network.protocol.version of OpenTelemetry.
var protocolVersions = [protocols]string{"1.1", "2", "3"}

// classes are the values of the label code: the first digit of the status, and
// 499 for a client that left before it was answered.
var classes = [...]string{"499", "1xx", "2xx", "3xx", "4xx", "5xx"}

// metrics are the series of an edge. Label values are bounded: by the file of
// routes, the protocols and the classes.
type metrics struct {
	duration   *prometheus.HistogramVec
	refused    durations // requests that no route was found for
	handshakes *prometheus.CounterVec
	reloads    *prometheus.CounterVec
	upgraded   prometheus.Gauge
	dropped    prometheus.Counter // lines of the access log
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "http_server_request_duration_seconds", Buckets: telemetry.LatencyBuckets,
			Help: "Time from the head of a request to the end of its answer, by route, protocol version and class of the status.",
		}, []string{"route", "protocol", "code"}),
		handshakes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "edge_tls_handshakes_total", Help: "TLS handshakes over TCP, by result: full, resumed or failed.",
		}, []string{"result"}),
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "edge_routes_reloads_total", Help: "Changes of the file of routes, by result: ok or refused.",
		}, []string{"result"}),
		upgraded: prometheus.NewGauge(prometheus.GaugeOpts{Name: "edge_upgraded_connections", Help: "Connections that were upgraded (WebSocket) and are open."}),
		dropped:  prometheus.NewCounter(prometheus.CounterOpts{Name: "edge_access_log_dropped_total", Help: "Lines of the access log that its writer was too slow for."}),
	}
	r.MustRegister(m.duration, m.handshakes, m.reloads, m.upgraded, m.dropped)
	for _, result := range []string{"full", "resumed", "failed"} {
		m.handshakes.WithLabelValues(result)
	}
	m.refused.of(m.duration, "")
	return m
}

// watchState adds the series that are read when they are asked for.
func watchState(r prometheus.Registerer, g *guard.Guard, store *certs.Store, s *sites) {
	gauge := func(name, help string, labels prometheus.Labels, value func() float64) {
		r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: labels}, value))
	}
	counter := func(name, help string, labels prometheus.Labels, value func() float64) {
		r.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help, ConstLabels: labels}, value))
	}
	const connections = "Client connections, by what they do."
	gauge("edge_connections", connections, prometheus.Labels{"state": "opening"}, func() float64 { return float64(g.Counts().Opening) })
	gauge("edge_connections", connections, prometheus.Labels{"state": "idle"}, func() float64 { return float64(g.Counts().Idle) })
	gauge("edge_connections", connections, prometheus.Labels{"state": "busy"}, func() float64 { return float64(g.Counts().Busy) })
	counter("edge_connections_evicted_total", "Client connections closed to make room for others.", nil, func() float64 { return float64(g.Counts().Evicted) })
	counter("edge_connections_refused_total", "Client connections refused because all others were busy.", nil, func() float64 { return float64(g.Counts().Refused) })
	gauge("edge_certificate_expiry_timestamp_seconds", "When the first of the certificates expires.", nil, func() float64 { return float64(store.Status().Expiry.Unix()) })
	counter("edge_certificate_reloads_total", "Certificates reloaded.", prometheus.Labels{"result": "ok"}, func() float64 { return float64(store.Status().Reloads) })
	counter("edge_certificate_reloads_total", "Certificates reloaded.", prometheus.Labels{"result": "refused"}, func() float64 { return float64(store.Status().Failures) })
	counter("edge_retries_total", "Attempts beyond the first, by what the budget said.", prometheus.Labels{"budget": "allowed"}, func() float64 { a, _ := s.retries(); return float64(a) })
	counter("edge_retries_total", "Attempts beyond the first, by what the budget said.", prometheus.Labels{"budget": "refused"}, func() float64 { _, b := s.retries(); return float64(b) })
}

// retries sums up the upstreams that run now.
func (s *sites) retries() (allowed, refused uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.running {
		a, b := r.Retries()
		allowed, refused = allowed+a, refused+b
	}
	return allowed, refused
}

// durations are the histograms of one route, found once.
type durations [protocols][len(classes)]prometheus.Observer

func (d *durations) of(vec *prometheus.HistogramVec, label string) {
	for p := range d {
		for c := range d[p] {
			d[p][c] = lazy{vec, [3]string{label, protocolVersions[p], classes[c]}}
		}
	}
}

// lazy makes a series when it is first observed: most routes never see most
// combinations.
type lazy struct {
	vec    *prometheus.HistogramVec
	labels [3]string
}

func (l lazy) Observe(v float64) { l.vec.WithLabelValues(l.labels[:]...).Observe(v) }

func (d *durations) observe(p protocol, status int, took time.Duration) {
	class := status / 100
	if status == statusGone || class < 1 || class >= len(classes) {
		class = 0
	}
	d[p][class].Observe(took.Seconds())
}

// statusGone is what log and metrics call a request whose client left.
const statusGone = 499

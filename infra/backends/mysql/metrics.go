package mysql

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/flotilla-dev/flotilla/internal/tcpserve"
)

type metrics struct {
	statements *prometheus.CounterVec
	running    prometheus.Gauge
	refused    *prometheus.CounterVec
}

func newMetrics(registry prometheus.Registerer, server *tcpserve.Server) *metrics {
	m := &metrics{
		statements: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mysql_statements_total", Help: "Statements by outcome: ok, error.",
		}, []string{"outcome"}),
		running: prometheus.NewGauge(prometheus.GaugeOpts{Name: "mysql_running_statements", Help: "Statements that run."}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mysql_refused_total", Help: "What was refused, by reason: clients, login, packet, protected, protocol.",
		}, []string{"reason"}),
	}
	for _, reason := range []string{"clients", "login", "packet", "protected", "protocol"} {
		m.refused.WithLabelValues(reason)
	}
	registry.MustRegister(m.statements, m.running, m.refused,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "mysql_connected_clients", Help: "Open connections."},
			func() float64 { return float64(server.Open()) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "mysql_connections_total", Help: "Connections accepted."},
			func() float64 { return float64(server.Accepted()) }))
	return m
}

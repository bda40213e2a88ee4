package broker

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/flotilla-dev/flotilla/ambassadors/broker/source"
	"github.com/flotilla-dev/flotilla/ambassadors/broker/target"
	"github.com/flotilla-dev/flotilla/internal/tcpserve"
	"github.com/flotilla-dev/flotilla/internal/telemetry"
)

type metrics struct {
	connections *prometheus.CounterVec
	connect     prometheus.Histogram
	bytes       *prometheus.CounterVec
	changes     prometheus.Counter
}

// outcomes of a connection: proxied, or why not.
var outcomes = []string{"proxied", "full", "no_target", "down", "timeout", "pending"}

func newMetrics(registry prometheus.Registerer) *metrics {
	m := &metrics{
		connections: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "broker_connections_total", Help: "Connections of the application by outcome: proxied, or why they were refused (full, no_target, down, timeout, pending).",
		}, []string{"outcome"}),
		connect: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "broker_connect_duration_seconds", Help: "Time to find a database for a connection.", Buckets: telemetry.LatencyBuckets,
		}),
		bytes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "broker_bytes_total", Help: "Bytes passed on over connections that have ended.",
		}, []string{"direction"}),
		changes: prometheus.NewCounter(prometheus.CounterOpts{Name: "broker_target_changes_total", Help: "How often another target became the active one."}),
	}
	for _, o := range outcomes {
		m.connections.WithLabelValues(o)
	}
	registry.MustRegister(m.connections, m.connect, m.bytes, m.changes)
	return m
}

// observe registers what is counted elsewhere.
func observe(registry prometheus.Registerer, s *tcpserve.Server, d *directory, pool *target.Pool, links *target.Links) {
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	registry.MustRegister(
		gauge("broker_connections_open", "Open connections of the application.", func() float64 { return float64(s.Open()) }),
		gauge("broker_connections_draining", "Open connections to a former target.", func() float64 {
			_, draining, _ := links.Count()
			return float64(draining)
		}),
		gauge("broker_targets", "Addresses that are known.", func() float64 { return float64(len(pool.View())) }),
		gauge("broker_targets_healthy", "Addresses that are alive.", func() (n float64) {
			for _, v := range pool.View() {
				if v.Health == target.Healthy {
					n++
				}
			}
			return n
		}),
		gauge("broker_target_stale", "1 while the target is what a source said last.", func() float64 {
			if r, _ := d.now(); r.Stale {
				return 1
			}
			return 0
		}),
		drained{links, prometheus.NewDesc("broker_drained_total", "Connections to a former target that ended, by how: finished, cut.", []string{"how"}, nil)},
		sourceStates{d, prometheus.NewDesc("broker_source_found", "1 for a source that names a target.", []string{"source"}, nil)},
	)
}

// drained collects what became of drained links.
type drained struct {
	links *target.Links
	desc  *prometheus.Desc
}

func (c drained) Describe(ch chan<- *prometheus.Desc) { ch <- c.desc }

func (c drained) Collect(ch chan<- prometheus.Metric) {
	_, _, counts := c.links.Count()
	ch <- prometheus.MustNewConstMetric(c.desc, prometheus.CounterValue, float64(counts.Finished), "finished")
	ch <- prometheus.MustNewConstMetric(c.desc, prometheus.CounterValue, float64(counts.Cut), "cut")
}

// sourceStates collects how the sources fare.
type sourceStates struct {
	directory *directory
	desc      *prometheus.Desc
}

func (c sourceStates) Describe(ch chan<- *prometheus.Desc) { ch <- c.desc }

func (c sourceStates) Collect(ch chan<- prometheus.Metric) {
	for _, v := range c.directory.view() {
		found := 0.0
		if v.State == source.Found {
			found = 1
		}
		ch <- prometheus.MustNewConstMetric(c.desc, prometheus.GaugeValue, found, v.Name)
	}
}

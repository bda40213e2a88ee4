package configsync

import (
	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	writes  *prometheus.CounterVec
	signals *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		writes:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "configsync_writes_total", Help: "Files written or not: ok, rejected, error."}, []string{"result"}),
		signals: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "configsync_signals_total", Help: "Signals to the application: sent, unneeded (it started after the change), absent, error."}, []string{"result"}),
	}
	for _, result := range []string{"ok", "rejected", "error"} {
		m.writes.WithLabelValues(result)
	}
	for _, result := range []string{"sent", "unneeded", "absent", "error"} {
		m.signals.WithLabelValues(result)
	}
	r.MustRegister(m.writes, m.signals)
	return m
}

func (m *metrics) write(result string)  { m.writes.WithLabelValues(result).Inc() }
func (m *metrics) signal(result string) { m.signals.WithLabelValues(result).Inc() }

// watch adds the series that are read when they are asked for.
func (m *metrics) watch(r prometheus.Registerer, s *sidecar) {
	gauge := func(name, help string, value func() float64) {
		r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
	}
	gauge("configsync_etcd_up", "1: etcd is being followed.", func() float64 { return one(s.Status().Etcd.Connected) })
	gauge("configsync_files", "Files that are kept.", func() float64 { return float64(len(s.Status().Files)) })
	gauge("configsync_files_rejected", "Files whose newest version was rejected or could not be written.", func() float64 {
		n := 0
		for _, f := range s.Status().Files {
			if f.Rejected != nil || f.Error != "" {
				n++
			}
		}
		return float64(n)
	})
	gauge("configsync_signal_pending", "1: the application has not been told of a change yet.", func() float64 { return one(s.Status().Notify.Pending) })
}

func one(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

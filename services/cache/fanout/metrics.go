package fanout

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	published *prometheus.CounterVec
	applied   *prometheus.CounterVec
	flushes   *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer, f *Fanout) *metrics {
	if r == nil {
		r = prometheus.NewRegistry()
	}
	counter := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
	}
	gauge := func(name, help string, value func(Status) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return value(f.Status()) })
	}
	m := &metrics{
		published: counter("invalidation_published_total", "Commands given to this replica, by outcome (recorded, mistake, refused, unknown).", "outcome"),
		applied:   counter("invalidation_applied_total", "Commands applied here, by kind (url, ban, keys).", "kind"),
		flushes:   counter("invalidation_flushes_total", "Flushes of the whole cache, by reason (start, trimmed, lost, unknown, refused).", "reason"),
	}
	r.MustRegister(m.published, m.applied, m.flushes,
		gauge("invalidation_current", "1 while this replica has applied all that is recorded, 0 while it validates its hits.", func(s Status) float64 {
			if s.Current {
				return 1
			}
			return 0
		}),
		gauge("invalidation_lag", "Commands that are recorded and not applied here, when last seen.", func(s Status) float64 { return float64(s.Lag) }),
	)
	return m
}

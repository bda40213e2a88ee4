package dictionary

import "github.com/prometheus/client_golang/prometheus"

// metrics are those of the dictionary itself; package api keeps those of HTTP.
type metrics struct {
	loads       *prometheus.CounterVec
	loadSeconds prometheus.Gauge
	bytes       prometheus.Gauge
	lookups     *prometheus.CounterVec
	refused     prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		loads:       prometheus.NewCounterVec(prometheus.CounterOpts{Name: "dictionary_data_loads_total", Help: "Tries to load the data, by outcome."}, []string{"outcome"}),
		loadSeconds: prometheus.NewGauge(prometheus.GaugeOpts{Name: "dictionary_data_load_duration_seconds", Help: "Time that the successful try to load the data took."}),
		bytes:       prometheus.NewGauge(prometheus.GaugeOpts{Name: "dictionary_data_bytes", Help: "Size of the data that is mapped; 0 while it is not loaded."}),
		lookups:     prometheus.NewCounterVec(prometheus.CounterOpts{Name: "dictionary_lookups_total", Help: "Look-ups of words, by outcome."}, []string{"outcome"}),
		refused:     prometheus.NewCounter(prometheus.CounterOpts{Name: "dictionary_refused_total", Help: "Requests above DICTIONARY_MAX_RATE that were refused."}),
	}
	reg.MustRegister(m.loads, m.loadSeconds, m.bytes, m.lookups, m.refused)
	return m
}

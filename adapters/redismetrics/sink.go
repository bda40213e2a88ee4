package redismetrics

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// sink takes the metrics of one scrape.
type sink struct {
	*catalogue
	out chan<- prometheus.Metric
}

func (s *sink) gauge(name string, v float64, labels ...string) {
	s.put(name, prometheus.GaugeValue, v, labels)
}

func (s *sink) counter(name string, v float64, labels ...string) {
	s.put(name, prometheus.CounterValue, v, labels)
}

// shown makes labels fit to be shown. A label set that comes twice is shown once: the
// registry sees to that.
func shown(labels []string) []string {
	for i, l := range labels {
		labels[i] = strings.ToValidUTF8(l, "\ufffd")
	}
	return labels
}

func (s *sink) put(name string, kind prometheus.ValueType, v float64, labels []string) {
	s.out <- prometheus.MustNewConstMetric(s.labelled[name], kind, v, shown(labels)...)
}

func (s *sink) summary(name string, count uint64, sum float64, quantiles map[float64]float64, labels ...string) {
	s.out <- prometheus.MustNewConstSummary(s.labelled[name], count, sum, quantiles, shown(labels)...)
}

func (s *sink) histogram(name string, count uint64, sum float64, buckets map[float64]uint64, labels ...string) {
	s.out <- prometheus.MustNewConstHistogram(s.labelled[name], count, sum, buckets, shown(labels)...)
}

func (s *sink) one(f described, v float64) {
	s.out <- prometheus.MustNewConstMetric(f.desc, f.kind, v)
}

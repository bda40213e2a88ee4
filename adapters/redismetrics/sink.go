package redismetrics

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// sink takes the metrics of one scrape.
type sink struct {
	*catalogue
	out  chan<- prometheus.Metric
	seen map[string]bool // labelled metrics: a server that repeats itself must not spoil the scrape
}

func (s *sink) gauge(name string, v float64, labels ...string) {
	s.put(name, prometheus.GaugeValue, v, labels)
}

func (s *sink) counter(name string, v float64, labels ...string) {
	s.put(name, prometheus.CounterValue, v, labels)
}

// first tells whether a labelled metric is the first of its kind, and makes its
// labels fit to be shown.
func (s *sink) first(name string, labels []string) bool {
	if len(labels) == 0 {
		return true
	}
	for i, l := range labels {
		labels[i] = strings.ToValidUTF8(l, "\ufffd")
	}
	id := name + "\x00" + strings.Join(labels, "\x00")
	if s.seen[id] {
		return false
	}
	s.seen[id] = true
	return true
}

func (s *sink) put(name string, kind prometheus.ValueType, v float64, labels []string) {
	if s.first(name, labels) {
		s.out <- prometheus.MustNewConstMetric(s.labelled[name], kind, v, labels...)
	}
}

func (s *sink) summary(name string, count uint64, sum float64, quantiles map[float64]float64, labels ...string) {
	if s.first(name, labels) {
		s.out <- prometheus.MustNewConstSummary(s.labelled[name], count, sum, quantiles, labels...)
	}
}

func (s *sink) histogram(name string, count uint64, sum float64, buckets map[float64]uint64, labels ...string) {
	if s.first(name, labels) {
		s.out <- prometheus.MustNewConstHistogram(s.labelled[name], count, sum, buckets, labels...)
	}
}

func (s *sink) one(f described, v float64) {
	s.out <- prometheus.MustNewConstMetric(f.desc, f.kind, v)
}

package shard

import (
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts for all shards. Counting is a few atomic additions; the rest of
// the work is done when somebody asks.
type Metrics struct {
	mu     sync.Mutex // guards meters
	meters map[[2]string]*Meter

	seconds, failures, inFlight, connections *prometheus.Desc
}

// NewMetrics registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("redisshard_shard_"+name, help, append([]string{"pool", "shard"}, labels...), nil)
	}
	m := &Metrics{
		meters:      map[[2]string]*Meter{},
		seconds:     desc("request_seconds", "Time from sending a request to its reply."),
		failures:    desc("failures_total", "Connections that failed, by reason: connect, timeout, closed, protocol.", "reason"),
		inFlight:    desc("in_flight", "Requests without a reply."),
		connections: desc("connections", "Connections, open or being opened."),
	}
	r.MustRegister(m)
	return m
}

// Meter counts for one shard. Its numbers outlive the shard, so that they never
// go back.
type Meter struct {
	buckets  [buckets]atomic.Uint64
	nanos    atomic.Uint64
	failures [4]atomic.Uint64
	shards   sync.Map // the *Shard that count here: one, or two while a file changes
}

// reasons of failures.
var reasons = [4]string{"connect", "timeout", "closed", "protocol"}

// The buckets double from 64 µs on; the last one is for all that is slower than
// 2 s.
const (
	buckets = 17
	first   = 64 * time.Microsecond
)

// Meter returns the meter of a shard.
func (m *Metrics) Meter(pool, shard string) *Meter {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := [2]string{pool, shard}
	if m.meters[key] == nil {
		m.meters[key] = &Meter{}
	}
	return m.meters[key]
}

func (m *Meter) watch(s *Shard)   { m.shards.Store(s, true) }
func (m *Meter) unwatch(s *Shard) { m.shards.Delete(s) }

func (m *Meter) took(d time.Duration) {
	at := bits.Len64(uint64(max(d, 0) / first))
	m.buckets[min(at, buckets-1)].Add(1)
	m.nanos.Add(uint64(max(d, 0)))
}

func (m *Meter) failed(reason string) {
	for i, r := range reasons {
		if r == reason {
			m.failures[i].Add(1)
		}
	}
}

// Describe and Collect make it a prometheus.Collector.
func (m *Metrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.seconds, m.failures, m.inFlight, m.connections} {
		to <- d
	}
}

// Collect reads all meters.
func (m *Metrics) Collect(to chan<- prometheus.Metric) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for key, meter := range m.meters {
		pool, shard := key[0], key[1]
		var links, inFlight int
		meter.shards.Range(func(s, _ any) bool {
			l, n := s.(*Shard).Counts()
			links, inFlight = links+l, inFlight+n
			return true
		})
		to <- prometheus.MustNewConstMetric(m.connections, prometheus.GaugeValue, float64(links), pool, shard)
		to <- prometheus.MustNewConstMetric(m.inFlight, prometheus.GaugeValue, float64(inFlight), pool, shard)
		for i, r := range reasons {
			to <- prometheus.MustNewConstMetric(m.failures, prometheus.CounterValue, float64(meter.failures[i].Load()), pool, shard, r)
		}
		to <- meter.histogram(m.seconds, pool, shard)
	}
}

func (m *Meter) histogram(desc *prometheus.Desc, labels ...string) prometheus.Metric {
	cumulative := make(map[float64]uint64, buckets)
	var count uint64
	for i := range buckets {
		count += m.buckets[i].Load()
		if i < buckets-1 {
			cumulative[(first << i).Seconds()] = count
		}
	}
	return prometheus.MustNewConstHistogram(desc, count, float64(m.nanos.Load())/1e9, cumulative, labels...)
}

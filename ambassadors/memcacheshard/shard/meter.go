package shard

import (
	"errors"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flotilla-dev/flotilla/ambassadors/memcacheshard/link"
)

// Metrics counts for all shards. Counting is a few atomic additions; the rest of
// the work is done when somebody asks.
type Metrics struct {
	mu     sync.Mutex // guards meters
	meters map[[3]string]*Meter

	seconds, failures, inFlight, connections, keys, missed, live *prometheus.Desc
}

// NewMetrics registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("memcacheshard_shard_"+name, help, append([]string{"pool", "shard", "server"}, labels...), nil)
	}
	m := &Metrics{
		meters:      map[[3]string]*Meter{},
		seconds:     desc("request_seconds", "Time from sending a request to its answer."),
		failures:    desc("failures_total", "Connections that failed, by reason: connect, timeout, closed, protocol.", "reason"),
		inFlight:    desc("in_flight", "Requests without an answer."),
		connections: desc("connections", "Open connections."),
		keys:        desc("keys_total", "Keys that were asked for one at a time, by result: hit, miss.", "result"),
		missed:      desc("missed_writes_total", "Writes that the server missed while replicas of it had them."),
		live:        desc("live", "1 while the server is asked, 0 while it is set aside."),
	}
	r.MustRegister(m)
	return m
}

// Meter counts for one server of a shard. Its numbers outlive the shard, so that
// they never go back.
type Meter struct {
	buckets      [buckets]atomic.Uint64
	nanos        atomic.Uint64
	failures     [len(reasons)]atomic.Uint64
	hits, misses atomic.Uint64
	missed       atomic.Uint64
	replicas     sync.Map // the *Replica that count here: one, or two while a file changes
}

// reasons of failures.
var reasons = [...]struct {
	name string
	err  error
}{{"connect", link.ErrDown}, {"timeout", link.ErrTimeout}, {"closed", link.ErrLost}, {"protocol", link.ErrAnswer}}

// The buckets double from 64 µs on; the last one is for all that is slower than
// 2 s.
const (
	buckets = 17
	first   = 64 * time.Microsecond
)

// Meter returns the meter of a server.
func (m *Metrics) Meter(pool, shard, server string) *Meter {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := [3]string{pool, shard, server}
	if m.meters[key] == nil {
		m.meters[key] = &Meter{}
	}
	return m.meters[key]
}

func (m *Meter) watch(r *Replica)   { m.replicas.Store(r, true) }
func (m *Meter) unwatch(r *Replica) { m.replicas.Delete(r) }

// Looked counts a key that was asked for.
func (m *Meter) Looked(hit bool) {
	if hit {
		m.hits.Add(1)
	} else {
		m.misses.Add(1)
	}
}

// took counts the answers of a read.
func (m *Meter) took(all []time.Duration) {
	var nanos uint64
	var counts [buckets]uint64
	for _, d := range all {
		d = max(d, 0)
		counts[min(bits.Len64(uint64(d/first)), buckets-1)]++
		nanos += uint64(d)
	}
	m.nanos.Add(nanos)
	for i, n := range counts {
		if n > 0 {
			m.buckets[i].Add(n)
		}
	}
}

func (m *Meter) failed(reason error) {
	for i, r := range reasons {
		if errors.Is(reason, r.err) {
			m.failures[i].Add(1)
		}
	}
}

// Describe and Collect make it a prometheus.Collector.
func (m *Metrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.seconds, m.failures, m.inFlight, m.connections, m.keys, m.missed, m.live} {
		to <- d
	}
}

// Collect reads all meters.
func (m *Metrics) Collect(to chan<- prometheus.Metric) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for key, meter := range m.meters {
		labels := key[:]
		count := func(d *prometheus.Desc, n uint64, more ...string) {
			to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), append(labels[:3:3], more...)...)
		}
		for i, r := range reasons {
			count(m.failures, meter.failures[i].Load(), r.name)
		}
		count(m.keys, meter.hits.Load(), "hit")
		count(m.keys, meter.misses.Load(), "miss")
		count(m.missed, meter.missed.Load())
		meter.gauges(func(connections, inFlight, live int) {
			to <- prometheus.MustNewConstMetric(m.connections, prometheus.GaugeValue, float64(connections), labels...)
			to <- prometheus.MustNewConstMetric(m.inFlight, prometheus.GaugeValue, float64(inFlight), labels...)
			to <- prometheus.MustNewConstMetric(m.live, prometheus.GaugeValue, float64(live), labels...)
		})
		to <- meter.histogram(m.seconds, labels...)
	}
}

func (m *Meter) gauges(show func(connections, inFlight, live int)) {
	var connections, inFlight, live int
	m.replicas.Range(func(r, _ any) bool {
		replica := r.(*Replica)
		connections += replica.Connections()
		inFlight += replica.Waiting()
		if replica.Live() {
			live = 1
		}
		return true
	})
	show(connections, inFlight, live)
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

package search

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/flotilla-dev/flotilla/services/search/bulkhead"
)

type metrics struct {
	answers *prometheus.CounterVec
	harvest prometheus.Histogram
	writes  *prometheus.CounterVec
}

// The outcomes of a search.
const (
	complete   = "complete"
	partial    = "partial"
	none       = "incomplete" // refused, because a part was missing
	invalid    = "invalid"    // the request was wrong
	expired    = "expired"    // the cursor was too old
	shed       = "overloaded"
	unexpected = "failed"
)

func newMetrics(registry prometheus.Registerer, f *fleet, searches *bulkhead.Bulkhead) *metrics {
	m := &metrics{
		answers: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "search_answers_total", Help: "Searches by how they ended; the yield is (complete + partial) / all.",
		}, []string{"outcome"}),
		harvest: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "search_harvest_ratio", Help: "Share of the documents that a search has seen.", Buckets: []float64{0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1},
		}),
		writes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "search_writes_total", Help: "Records by what became of them.",
		}, []string{"outcome"}),
	}
	for _, outcome := range []string{complete, partial, none, invalid, expired, shed, unexpected} {
		m.answers.WithLabelValues(outcome)
	}
	for _, outcome := range []string{"written", "refused", "unknown", "invalid"} {
		m.writes.WithLabelValues(outcome)
	}
	registry.MustRegister(m.answers, m.harvest, m.writes, &shardCollector{f},
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "search_active", Help: "Searches under way."}, func() float64 { return float64(searches.Inside()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "search_waiting", Help: "Searches that wait for their turn."}, func() float64 { return float64(searches.Waiting()) }))
	return m
}

// shardCollector reads the shards of the layout of now.
type shardCollector struct{ fleet *fleet }

var (
	usableDesc    = prometheus.NewDesc("search_shard_usable_replicas", "Replicas of a shard that can be asked.", []string{"shard"}, nil)
	documentsDesc = prometheus.NewDesc("search_shard_documents", "Documents that a shard had when it was last heard of.", []string{"shard"}, nil)
)

func (c *shardCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- usableDesc
	ch <- documentsDesc
}

func (c *shardCollector) Collect(ch chan<- prometheus.Metric) {
	t, _ := c.fleet.state()
	if t == nil {
		return
	}
	for _, s := range t.shards {
		usable, _ := s.pool.Usable()
		ch <- prometheus.MustNewConstMetric(usableDesc, prometheus.GaugeValue, float64(usable), s.name)
		if n := s.documents.Load(); n != unknown {
			ch <- prometheus.MustNewConstMetric(documentsDesc, prometheus.GaugeValue, float64(n), s.name)
		}
	}
}

package limit

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics of a limiter. Labels are class, kind and outcome: never a client.
type metrics struct {
	requests *prometheus.CounterVec
	overflow prometheus.Counter
	evicted  prometheus.Counter
	visits   *prometheus.CounterVec
	asks     prometheus.Counter
	trip     prometheus.Histogram
	away     prometheus.Counter
}

func newMetrics(r prometheus.Registerer, l *Limiter) *metrics {
	if r == nil {
		r = prometheus.NewRegistry()
	}
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "ratelimit_requests_total", Help: "Requests that a limit applied to, by class, kind of identity and outcome (allowed, limited)."}, []string{"class", "kind", "outcome"}),
		overflow: prometheus.NewCounter(prometheus.CounterOpts{Name: "ratelimit_overflow_total", Help: "Requests of identities past the bound, counted together."}),
		evicted:  prometheus.NewCounter(prometheus.CounterOpts{Name: "ratelimit_evicted_total", Help: "Idle identities forgotten to make room."}),
		visits:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "ratelimit_store_visits_total", Help: "Calls of the store that settle leases, by outcome (ok, error)."}, []string{"outcome"}),
		asks:     prometheus.NewCounter(prometheus.CounterOpts{Name: "ratelimit_store_buckets_total", Help: "Buckets visited in these calls."}),
		trip:     prometheus.NewHistogram(prometheus.HistogramOpts{Name: "ratelimit_store_visit_seconds", Help: "Duration of a call of the store.", Buckets: []float64{.0002, .0005, .001, .002, .005, .01, .025, .05, .1, .15}}),
		away:     prometheus.NewCounter(prometheus.CounterOpts{Name: "ratelimit_store_lost_total", Help: "Times that the store went away."}),
	}
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	r.MustRegister(m.requests, m.overflow, m.evicted, m.visits, m.asks, m.trip, m.away,
		gauge("ratelimit_store_up", "1 while limits are shared through the store, 0 while each replica allows its share.", func() float64 {
			if l.away.Load() {
				return 0
			}
			return 1
		}),
		gauge("ratelimit_replicas", "Replicas that limits are divided among.", func() float64 { return float64(l.replicas.Load()) }),
		gauge("ratelimit_tracked", "Identities × classes that are remembered.", func() float64 { return float64(l.tracked()) }),
		gauge("ratelimit_store_pending", "Visits to the store that are scheduled.", func() float64 { return float64(l.agenda.len()) }),
	)
	return m
}

func (m *metrics) visited(buckets int, took time.Duration, err error) {
	outcome := "ok"
	if err != nil {
		outcome = "error"
	}
	m.visits.WithLabelValues(outcome).Inc()
	m.asks.Add(float64(buckets))
	m.trip.Observe(took.Seconds())
}

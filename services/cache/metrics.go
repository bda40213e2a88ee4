package cache

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/flotilla-dev/flotilla/internal/telemetry"
	"github.com/flotilla-dev/flotilla/services/cache/store"
)

// outcome is how a request was answered: the closed set of the label "outcome", and of the access log.
type outcome uint8

const (
	outcomeHit        outcome = iota // from memory, fresh
	outcomeStale                     // from memory, stale: while revalidating, max-stale, or instead of an error
	outcomeValidated                 // from memory, after upstream confirmed it
	outcomeMiss                      // fetched for this client
	outcomeCoalesced                 // fetched for another client who asked first
	outcomeHitForMiss                // not coalesced, because answers could not be stored lately
	outcomePass                      // the policy, the method or the request keeps it out of the cache
	outcomeError                     // no answer from upstream
	outcomeRefused                   // refused by us: malformed, too large, limited
	outcomes
)

var outcomeNames = [outcomes]string{"hit", "stale", "validated", "miss", "coalesced", "hit-for-miss", "pass", "error", "refused"}

func (o outcome) String() string { return outcomeNames[o] }

type metrics struct {
	requests [outcomes]prometheus.Counter
	seconds  [outcomes]prometheus.Observer
	status   [6]prometheus.Counter // by first digit; 0 is "other"
	sent     prometheus.Counter

	evictions, invalidated, bans    prometheus.Counter
	policyErrors, refused, badHeads prometheus.Counter
	brokenBodies                    prometheus.Counter
	conns, waiting                  prometheus.Gauge
}

// newMetrics registers the metrics; with a nil registerer they count for nobody.
func newMetrics(r prometheus.Registerer) *metrics {
	f := promauto.With(r)
	requests := f.NewCounterVec(prometheus.CounterOpts{Name: "cache_requests_total", Help: "Requests by outcome."}, []string{"outcome"})
	seconds := f.NewHistogramVec(prometheus.HistogramOpts{Name: "cache_request_seconds",
		Help: "Time from the request's head to the response's end.", Buckets: telemetry.LatencyBuckets}, []string{"outcome"})
	status := f.NewCounterVec(prometheus.CounterOpts{Name: "cache_responses_total", Help: "Responses by class of status."}, []string{"class"})
	counter := func(name, help string) prometheus.Counter {
		return f.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	m := &metrics{
		sent:         counter("cache_sent_bytes_total", "Bytes of bodies sent to clients."),
		evictions:    counter("cache_evictions_total", "Resources that went because the memory was full."),
		invalidated:  counter("cache_invalidated_total", "Resources removed by purges and unsafe methods."),
		bans:         counter("cache_bans_total", "Bans added: patterns and surrogate keys."),
		policyErrors: counter("cache_policy_errors_total", "Policy files that were refused."),
		refused:      counter("cache_connections_refused_total", "Connections closed because too many were open."),
		badHeads:     counter("cache_bad_requests_total", "Requests refused because their head is malformed or too large."),
		brokenBodies: counter("cache_broken_bodies_total", "Upstream bodies that ended early; none is stored."),
		conns:        f.NewGauge(prometheus.GaugeOpts{Name: "cache_connections", Help: "Open client connections."}),
		waiting:      f.NewGauge(prometheus.GaugeOpts{Name: "cache_waiting", Help: "Clients that wait for an upstream answer."}),
	}
	for o, name := range outcomeNames {
		m.requests[o], m.seconds[o] = requests.WithLabelValues(name), seconds.WithLabelValues(name)
	}
	for i, class := range [...]string{"other", "1xx", "2xx", "3xx", "4xx", "5xx"} {
		m.status[i] = status.WithLabelValues(class)
	}
	return m
}

// watch registers what is read when asked for.
func (m *metrics) watch(r prometheus.Registerer, st *store.Store, s *Server) {
	f := promauto.With(r)
	gauge := func(name, help string, read func() float64) {
		f.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, read)
	}
	gauge("cache_stored_bytes", "Bytes that the stored resources are accounted for.", func() float64 { return float64(st.Weight()) })
	gauge("cache_stored_resources", "Stored resources, about.", func() float64 { return float64(st.Len()) })
	gauge("cache_bans_pending", "Bans that some stored object has not been checked against.", func() float64 { return float64(st.Bans()) })
	gauge("cache_flights", "Upstream requests that may have several waiting clients.", func() float64 { return float64(s.flights.len()) })
	f.NewCounterFunc(prometheus.CounterOpts{Name: "cache_access_log_dropped_total", Help: "Lines of the access log that were lost."},
		func() float64 { return float64(s.access.Dropped()) })
}

func (m *metrics) observe(o outcome, status int, sent int64, d time.Duration) {
	m.requests[o].Inc()
	m.seconds[o].Observe(d.Seconds())
	class := status / 100
	if class < 1 || class > 5 {
		class = 0
	}
	m.status[class].Inc()
	m.sent.Add(float64(sent))
}

func (m *metrics) connections(delta int) { m.conns.Add(float64(delta)) }
func (m *metrics) refusedConnection()    { m.refused.Inc() }
func (m *metrics) badRequest()           { m.badHeads.Inc() }

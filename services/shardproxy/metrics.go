package shardproxy

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/flotilla-dev/flotilla/internal/guard"
	"github.com/flotilla-dev/flotilla/internal/telemetry"
)

// metrics are the series that requests count. Label values are bounded: by the file of
// shards and the classes of statuses.
type metrics struct {
	duration  *prometheus.HistogramVec
	refused   durations // requests that no shard was asked with
	active    prometheus.Gauge
	upgraded  prometheus.Gauge
	changes   *prometheus.CounterVec
	countries *prometheus.CounterVec // changes of their file
	// misdirected are the answers 421 of shards that do not hold a session.
	misdirected *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "http_server_request_duration_seconds", Buckets: telemetry.LatencyBuckets,
			Help: "Time from the head of a request to the end of its answer, by shard and class of the status.",
		}, []string{"shard", "code"}),
		active:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "http_server_active_requests", Help: "Requests in progress."}),
		upgraded: prometheus.NewGauge(prometheus.GaugeOpts{Name: "shardproxy_upgraded_connections", Help: "Connections that were upgraded (WebSocket) and are open."}),
		changes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "shardproxy_changes_total", Help: "Changes of the layout, by source (file or api) and result (applied or refused).",
		}, []string{"source", "result"}),
		countries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "shardproxy_country_reloads_total", Help: "Changes of the file of countries, by result: applied or refused.",
		}, []string{"result"}),
		misdirected: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "shardproxy_misdirected_total", Help: "Requests that a shard answered with 421 because it does not hold the session, by what was done then: sent_again or refused.",
		}, []string{"then"}),
	}
	r.MustRegister(m.duration, m.active, m.upgraded, m.changes, m.countries, m.misdirected)
	m.countries.WithLabelValues("applied")
	m.countries.WithLabelValues("refused")
	m.misdirected.WithLabelValues("sent_again")
	m.misdirected.WithLabelValues("refused")
	for _, source := range []string{"file", "api"} {
		for _, result := range []string{"applied", "refused"} {
			m.changes.WithLabelValues(source, result)
		}
	}
	m.refused.of(m.duration, "")
	return m
}

// collector reads what the shards have counted when it is scraped.
type collector struct {
	proxy *proxy

	inFlight, rate, share, weight, state, standIns, answers, ratio *prometheus.Desc
	connections, evicted, refused, retries, keys                   *prometheus.Desc
	lookups, contexts                                              *prometheus.Desc
}

func newCollector(p *proxy) *collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("shardproxy_"+name, help, labels, nil)
	}
	return &collector{
		proxy:       p,
		inFlight:    desc("shard_requests_in_flight", "Requests that a shard has now.", "shard"),
		rate:        desc("shard_rate", "Requests per second of a shard, over SHARDPROXY_WINDOW.", "shard"),
		share:       desc("shard_load_share", "Part of the requests that a shard has, over SHARDPROXY_WINDOW.", "shard"),
		weight:      desc("shard_weight", "Weight of a shard.", "shard"),
		state:       desc("shard_state", "1 for the state a shard is in: active, draining or lost.", "shard", "state"),
		standIns:    desc("stand_ins_total", "Requests that a shard answered for keys of another one.", "shard"),
		answers:     desc("cache_answers_total", "Answers of a shard with Cache-Status, by result: hit or miss.", "shard", "result"),
		ratio:       desc("cache_hit_ratio", "Part of the answers with Cache-Status that were hits, over SHARDPROXY_WINDOW.", "shard"),
		connections: desc("connections", "Client connections, by what they do.", "state"),
		evicted:     desc("connections_evicted_total", "Client connections closed to make room for others."),
		refused:     desc("connections_refused_total", "Client connections refused because all others were busy."),
		retries:     desc("retries_total", "Attempts beyond the first, within a shard or by another one, by what the budget said.", "by", "budget"),
		lookups:     desc("context_lookups_total", "Contexts that were wanted, by outcome: found, none, joined, cached, stale or failed.", "outcome"),
		contexts:    desc("contexts", "Sessions whose context is remembered."),
		keys:        desc("recent_keys", "Estimate of the different keys seen within SHARDPROXY_RECENT_FOR."),
	}
}

func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.inFlight, c.rate, c.share, c.weight, c.state, c.standIns, c.answers, c.ratio,
		c.connections, c.evicted, c.refused, c.retries, c.keys, c.lookups, c.contexts} {
		ch <- d
	}
}

func (c *collector) Collect(ch chan<- prometheus.Metric) {
	counter := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	var allowed, refused uint64
	for _, s := range c.proxy.report() {
		if s.State != stateLeaving {
			gauge(c.inFlight, float64(s.InFlight), s.Name)
			gauge(c.rate, s.Rate, s.Name)
			gauge(c.share, s.Share, s.Name)
			gauge(c.weight, float64(s.Weight), s.Name)
			counter(c.standIns, float64(s.StandIns), s.Name)
			counter(c.answers, float64(s.Hits), s.Name, "hit")
			counter(c.answers, float64(s.Misses), s.Name, "miss")
			for _, state := range []string{stateActive, stateDraining, stateLost} {
				gauge(c.state, is(s.State == state), s.Name, state)
			}
			if s.HitRatio != nil {
				gauge(c.ratio, *s.HitRatio, s.Name)
			}
		}
	}
	if t := c.proxy.table.Load(); t != nil {
		for _, s := range t.shards {
			a, r := s.Retries()
			allowed, refused = allowed+a, refused+r
		}
	}
	counter(c.retries, float64(allowed), "replica", "allowed")
	counter(c.retries, float64(refused), "replica", "refused")
	allowed, refused = c.proxy.standIn.Counts()
	counter(c.retries, float64(allowed), "shard", "allowed")
	counter(c.retries, float64(refused), "shard", "refused")
	c.guard(c.proxy.guard.Counts(), gauge, counter)
	keys, each := c.proxy.recent.Keys()
	gauge(c.keys, float64(len(keys))*each)
	if looked := c.proxy.contexts; looked != nil {
		gauge(c.contexts, float64(looked.Len()))
		looked.Counts(func(outcome string, n uint64) { counter(c.lookups, float64(n), outcome) })
	}
}

func (c *collector) guard(n guard.Counts, gauge, counter func(*prometheus.Desc, float64, ...string)) {
	gauge(c.connections, float64(n.Opening), "opening")
	gauge(c.connections, float64(n.Idle), "idle")
	gauge(c.connections, float64(n.Busy), "busy")
	counter(c.evicted, float64(n.Evicted))
	counter(c.refused, float64(n.Refused))
}

func is(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

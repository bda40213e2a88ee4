package hotshards

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/flotilla-dev/flotilla/services/hotshards/decide"
)

// metrics are what the controller tells. The labels are closed sets: the shards of the file, kinds and outcomes.
type metrics struct {
	looks     *prometheus.CounterVec
	decisions *prometheus.CounterVec
	last      prometheus.Gauge
	blocked   prometheus.Gauge
	replicas  *prometheus.GaugeVec
	rate      *prometheus.GaugeVec
	p99       *prometheus.GaugeVec
	ratio     *prometheus.GaugeVec
	guest     *prometheus.GaugeVec
}

func newMetrics(r prometheus.Registerer, budget int) *metrics {
	with := promauto.With(r)
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return with.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	}
	m := &metrics{
		looks: with.NewCounterVec(prometheus.CounterOpts{
			Name: "hotshards_looks_total", Help: "Looks, by what was missing; ok: nothing was.",
		}, []string{"outcome"}),
		decisions: with.NewCounterVec(prometheus.CounterOpts{
			Name: "hotshards_decisions_total", Help: "Decisions, by kind and by what became of them.",
		}, []string{"kind", "outcome"}),
		last:     with.NewGauge(prometheus.GaugeOpts{Name: "hotshards_last_look_timestamp_seconds", Help: "When everything was seen the last time."}),
		blocked:  with.NewGauge(prometheus.GaugeOpts{Name: "hotshards_blocked", Help: "1 while a shard needs more than the budget or its most replicas."}),
		replicas: gauge("hotshards_shard_replicas", "Replicas of a shard's own, ordered and ready.", "shard", "state"),
		rate:     gauge("hotshards_shard_requests_per_second", "Load of a shard, at all proxies.", "shard"),
		p99:      gauge("hotshards_shard_p99_seconds", "99th percentile of a shard, the worst of all proxies.", "shard"),
		ratio:    gauge("hotshards_group_ratio", "Load of a replica beside the mean of the other shards; of a shard that is a guest, of its host's.", "shard"),
		guest:    gauge("hotshards_shard_guest", "1 while another shard's replicas serve it.", "shard"),
	}
	with.NewGauge(prometheus.GaugeOpts{Name: "hotshards_budget_replicas", Help: "Most replicas of all shards together."}).Set(float64(budget))
	for _, o := range []string{seen, noProxies, noOrchestrator, noSense} {
		m.looks.WithLabelValues(o)
	}
	for _, o := range outcomes {
		m.decisions.WithLabelValues(kindRepair, o)
		for _, k := range decide.Kinds {
			m.decisions.WithLabelValues(string(k), o)
		}
	}
	return m
}

// saw tells what a look has found.
func (m *metrics) saw(found sight, v decide.Verdict) {
	m.looks.WithLabelValues(seen).Inc()
	m.last.Set(float64(found.world.At.UnixMilli()) / 1000)
	for _, s := range found.world.Shards {
		m.replicas.WithLabelValues(s.Name, "ordered").Set(float64(s.Want))
		m.replicas.WithLabelValues(s.Name, "ready").Set(float64(s.Ready))
		m.rate.WithLabelValues(s.Name).Set(s.Rate)
		m.p99.WithLabelValues(s.Name).Set(s.P99.Seconds())
		m.guest.WithLabelValues(s.Name).Set(one(s.Host != s.Name))
	}
	for _, g := range v.Groups {
		for _, name := range g.Shards {
			m.ratio.WithLabelValues(name).Set(g.Ratio)
		}
	}
}

func (m *metrics) setBlocked(is bool) { m.blocked.Set(one(is)) }

func one(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

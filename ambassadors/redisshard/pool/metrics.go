package pool

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/flotilla-dev/flotilla/ambassadors/redisshard/shard"
)

// Metrics counts for all pools.
type Metrics struct {
	shards    *shard.Metrics
	ejections *prometheus.CounterVec
}

// NewMetrics registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	return &Metrics{
		shards: shard.NewMetrics(r),
		ejections: promauto.With(r).NewCounterVec(prometheus.CounterOpts{
			Name: "redisshard_shard_ejections_total", Help: "How often a shard was left out after failures.",
		}, []string{"pool", "shard"}),
	}
}

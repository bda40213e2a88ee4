package memcached

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/flotilla-dev/flotilla/internal/tcpserve"
)

// collector shows the numbers of the store and its connections as metrics.
type collector struct {
	store *store
	conns *tcpserve.Server
}

var (
	clientsDesc     = describe("connected_clients", "Open connections.")
	connectionsDesc = describe("connections_total", "Connections accepted.")
	commandsDesc    = describe("commands_total", "Items that were asked for, stored, deleted, counted or touched, by command and result.", "command", "result")
	itemsDesc       = describe("items", "Items in the store.")
	memoryDesc      = describe("memory_used_bytes", "Memory that the items take.")
	limitDesc       = describe("memory_max_bytes", "Limit of the memory of all items.")
	evictionsDesc   = describe("evictions_total", "Items that made room for others before they had expired.")
)

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("memcached_"+name, help, labels, nil)
}

func (c collector) Describe(out chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, out) }

func (c collector) Collect(out chan<- prometheus.Metric) {
	s := c.store
	s.Lock()
	t, items, bytes := s.stats, len(s.items), s.bytes
	s.Unlock()
	gauge := func(d *prometheus.Desc, v int64) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(v))
	}
	count := func(d *prometheus.Desc, v uint64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	gauge(clientsDesc, int64(c.conns.Open()))
	gauge(itemsDesc, int64(items))
	gauge(memoryDesc, bytes)
	gauge(limitDesc, s.limit)
	count(connectionsDesc, c.conns.Accepted())
	count(evictionsDesc, t.evictions)
	count(commandsDesc, t.sets, "set", "any")
	for command, n := range map[string][2]uint64{
		"get": {t.getHits, t.getMisses}, "touch": {t.touchHits, t.touchMisses}, "delete": {t.deleteHits, t.deleteMisses},
		"incr": {t.incrHits, t.incrMisses}, "decr": {t.decrHits, t.decrMisses},
	} {
		count(commandsDesc, n[0], command, "hit")
		count(commandsDesc, n[1], command, "miss")
	}
}

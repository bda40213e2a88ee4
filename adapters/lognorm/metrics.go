package lognorm

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/flotilla-dev/flotilla/adapters/lognorm/deliver"
)

// collector turns the state of the sources into metrics when it is asked, so that
// the API and the metrics cannot disagree.
type collector struct {
	sources []*stats
	queue   *deliver.Queue

	lines, records, truncated, holes, lost, lostBytes, lostEvents, lag, files, waiting, buffered *prometheus.Desc
}

func newCollector(sources []*stats, queue *deliver.Queue) *collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("lognorm_"+name, help, labels, nil)
	}
	return &collector{
		sources: sources, queue: queue,
		lines:      desc("lines_total", "Lines that were delivered, by outcome: parsed, unparsed or blank.", "source", "outcome"),
		records:    desc("records_total", "Records that were delivered.", "source"),
		truncated:  desc("truncations_total", "How often a file was begun again.", "source"),
		holes:      desc("hole_bytes_total", "NUL bytes that nobody wrote.", "source"),
		lost:       desc("lost_records_total", "Records that are known to be lost, by reason.", "source", "reason"),
		lostBytes:  desc("lost_bytes_total", "Bytes that are known to be lost, at least, by reason.", "source", "reason"),
		lostEvents: desc("losses_total", "How often something was lost, by reason.", "source", "reason"),
		lag:        desc("lag_bytes", "Bytes that are there and were not read yet.", "source"),
		files:      desc("files", "Files that are followed.", "source"),
		waiting:    desc("files_waiting", "Files that wait until others are closed.", "source"),
		buffered:   desc("buffered_batches", "Batches between sources and outputs."),
	}
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(out chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, out) }

// Collect implements prometheus.Collector.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	count := func(d *prometheus.Desc, v uint64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	for _, one := range c.sources {
		s := one.snapshot()
		count(c.lines, s.Lines-s.Unparsed, s.Name, "parsed")
		count(c.lines, s.Unparsed, s.Name, "unparsed")
		count(c.lines, s.Blank, s.Name, "blank")
		count(c.records, s.Records, s.Name)
		count(c.truncated, s.Truncated, s.Name)
		count(c.holes, s.HoleBytes, s.Name)
		for why, l := range s.Lost {
			count(c.lost, l.Records, s.Name, why)
			count(c.lostBytes, l.Bytes, s.Name, why)
			count(c.lostEvents, l.Events, s.Name, why)
		}
		gauge(c.lag, float64(s.LagBytes), s.Name)
		gauge(c.files, float64(len(s.Files)), s.Name)
		gauge(c.waiting, float64(s.Waiting), s.Name)
	}
	gauge(c.buffered, float64(c.queue.Waiting()))
}

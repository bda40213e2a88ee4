package topz

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// collector shows the last sample as metrics. Its labels are bounded by
// TOPZ_PROCESSES.
type collector struct{ sampler *sampler }

func description(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("topz_process_"+name, help, []string{"pid", "name"}, nil)
}

var (
	cpuSeconds = description("cpu_seconds_total", "CPU time of a process, in user and system mode.")
	rssBytes   = description("resident_memory_bytes", "Resident memory of a process.")
	threads    = description("threads", "Threads of a process.")
	openFiles  = description("open_files", "Open files of a process, where they may be read.")
	started    = description("start_time_seconds", "When a process started, since the epoch.")
)

// Describe implements prometheus.Collector.
func (c collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{cpuSeconds, rssBytes, threads, openFiles, started} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c collector) Collect(out chan<- prometheus.Metric) {
	for _, row := range c.sampler.current.Load().Processes {
		labels := []string{strconv.Itoa(row.PID), row.Name}
		gauge := func(d *prometheus.Desc, value float64) {
			out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
		}
		out <- prometheus.MustNewConstMetric(cpuSeconds, prometheus.CounterValue, row.CPUTime, labels...)
		gauge(rssBytes, float64(row.RSS))
		gauge(threads, float64(row.Threads))
		gauge(started, float64(row.Started.UnixMilli())/1000)
		if row.OpenFiles != nil {
			gauge(openFiles, float64(*row.OpenFiles))
		}
	}
}

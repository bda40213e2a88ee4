package gitsync

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flotilla-dev/flotilla/sidecars/gitsync/tree"
)

// metrics are those of gitsync.
type metrics struct {
	syncs    *prometheus.CounterVec
	duration prometheus.Histogram
	success  prometheus.Gauge
	stale    prometheus.Gauge
	files    prometheus.Gauge
	bytes    prometheus.Gauge
	kept     prometheus.Gauge
	webhooks *prometheus.CounterVec
	notices  *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	m := &metrics{
		syncs: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "gitsync_syncs_total", Help: "Attempts by their outcome."}, []string{"outcome"}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "gitsync_sync_duration_seconds", Help: "Time of one attempt.", Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120},
		}),
		success:  gauge("gitsync_last_success_timestamp_seconds", "When an attempt succeeded last, since the epoch."),
		stale:    gauge("gitsync_stale", "1 while the last attempt failed."),
		files:    gauge("gitsync_revision_files", "Files, folders and links of the current revision."),
		bytes:    gauge("gitsync_revision_bytes", "Bytes of the current revision's files."),
		kept:     gauge("gitsync_revisions_kept", "Replaced revisions that are kept for their readers."),
		webhooks: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "gitsync_webhooks_total", Help: "Calls of POST /v1/sync by their result."}, []string{"result"}),
		notices:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "gitsync_notices_total", Help: "Attempts to tell the application by their result."}, []string{"result"}),
	}
	r.MustRegister(m.syncs, m.duration, m.success, m.stale, m.files, m.bytes, m.kept, m.webhooks, m.notices)
	for _, outcome := range outcomes {
		m.syncs.WithLabelValues(outcome)
	}
	return m
}

func (m *metrics) attempted(outcome string, took time.Duration, good bool) {
	m.syncs.WithLabelValues(outcome).Inc()
	m.duration.Observe(took.Seconds())
	if !good {
		m.stale.Set(1)
		return
	}
	m.stale.Set(0)
	m.success.SetToCurrentTime()
}

func (m *metrics) swapped(size tree.Size) {
	m.files.Set(float64(size.Files))
	m.bytes.Set(float64(size.Bytes))
}

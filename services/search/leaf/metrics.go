package leaf

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/flotilla-dev/flotilla/internal/telemetry"
	"github.com/flotilla-dev/flotilla/services/search/doclog"
)

// metrics are what a leaf counts and shows. The labels are closed sets.
type metrics struct {
	applied  prometheus.Counter
	skipped  *prometheus.CounterVec
	shed     prometheus.Counter
	anew     prometheus.Counter
	written  *prometheus.CounterVec
	duration *prometheus.HistogramVec
}

func newMetrics(r prometheus.Registerer, l *leaf) *metrics {
	with := promauto.With(r)
	gauge := func(name, help string, value func() float64) {
		with.NewGaugeFunc(prometheus.GaugeOpts{Name: "searchleaf_" + name, Help: help}, value)
	}
	gauge("epoch", "Offset in the log up to which it is applied.", func() float64 { return float64(l.shard().index.Epoch()) })
	gauge("lag_records", "Offsets between what is applied and the end of the partition, when it was last seen.", func() float64 { return float64(l.lag()) })
	gauge("documents", "Documents that live.", func() float64 { documents, _, _ := l.shard().index.Size(); return float64(documents) })
	gauge("words", "Different stems.", func() float64 { _, words, _ := l.shard().index.Size(); return float64(words) })
	gauge("index_bytes", "Memory that the index takes, about.", func() float64 { _, _, bytes := l.shard().index.Size(); return float64(bytes) })
	gauge("waiting", "Requests that wait for their turn or for an epoch.", func() float64 { return float64(l.bulkhead.Waiting()) })
	gauge("log_away_seconds", "How long the log has not been reached; 0: it is.", func() float64 {
		if since := l.awaySince(); !since.IsZero() {
			return time.Since(since).Seconds()
		}
		return 0
	})
	gauge("snapshot_age_seconds", "Age of the snapshot on disk; -1: there is none.", func() float64 {
		if at := l.snapshotAt(); !at.IsZero() {
			return time.Since(at).Seconds()
		}
		return -1
	})
	m := &metrics{
		applied: with.NewCounter(prometheus.CounterOpts{Name: "searchleaf_records_applied_total", Help: "Records of the log that were applied since the start."}),
		skipped: with.NewCounterVec(prometheus.CounterOpts{Name: "searchleaf_records_skipped_total", Help: "Records of the log that could not be used, by why."}, []string{"why"}),
		shed:    with.NewCounter(prometheus.CounterOpts{Name: "searchleaf_shed_total", Help: "Requests that were refused because there were too many."}),
		anew:    with.NewCounter(prometheus.CounterOpts{Name: "searchleaf_log_lost_total", Help: "Times that the log had lost what comes next, and was read anew."}),
		written: with.NewCounterVec(prometheus.CounterOpts{Name: "searchleaf_snapshots_total", Help: "Snapshots, by what became of them."}, []string{"outcome"}),
		duration: with.NewHistogramVec(prometheus.HistogramOpts{
			Name: "searchleaf_request_duration_seconds", Help: "Time that requests are worked on, without waiting, by route.", Buckets: telemetry.LatencyBuckets,
		}, []string{"route"}),
	}
	for _, why := range []string{doclog.SkippedKind, doclog.SkippedInvalid} {
		m.skipped.WithLabelValues(why)
	}
	for _, outcome := range outcomes {
		m.written.WithLabelValues(outcome)
	}
	return m
}

// Outcomes of snapshots.
const (
	snapshotWritten = "written"
	snapshotFailed  = "failed"
	snapshotLoaded  = "loaded"
	snapshotIgnored = "ignored"
)

var outcomes = []string{snapshotWritten, snapshotFailed, snapshotLoaded, snapshotIgnored}

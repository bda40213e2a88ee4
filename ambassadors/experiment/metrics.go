package experiment

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flotilla-dev/flotilla/internal/telemetry"
)

// window of production's own series, of which the whole is reported.
const window = time.Minute

type metrics struct {
	active   prometheus.Gauge
	duration *prometheus.HistogramVec
	arms     *prometheus.HistogramVec
	stops    *prometheus.CounterVec
	loads    *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		active: prometheus.NewGauge(prometheus.GaugeOpts{Name: "http_server_active_requests", Help: "Requests being handled."}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "http_server_request_duration_seconds", Help: "Time to handle a request.", Buckets: telemetry.LatencyBuckets,
		}, []string{"http_request_method", "http_response_status_code"}),
		arms: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "experiment_arm_duration_seconds", Help: "Time until the head of an arm's answer, by how it ended.", Buckets: telemetry.LatencyBuckets,
		}, []string{"arm", "outcome"}),
		stops: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "experiment_stops_total", Help: "Experiments that were stopped by their budget."}, []string{"arm"}),
		loads: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "experiment_loads_total", Help: "Files of experiments that were taken, and refused."}, []string{"result"}),
	}
	r.MustRegister(m.active, m.duration, m.arms, m.stops, m.loads)
	m.loads.WithLabelValues("taken")
	m.loads.WithLabelValues("refused")
	return m
}

func (m *metrics) request(method string, status int, took time.Duration) {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
	default:
		method = "_OTHER" // clients choose methods, not labels
	}
	m.duration.WithLabelValues(method, strconv.Itoa(status)).Observe(took.Seconds())
}

func (m *metrics) arm(name string, failed bool, took time.Duration) {
	outcome := "ok"
	if failed {
		outcome = "failed"
	}
	m.arms.WithLabelValues(name, outcome).Observe(took.Seconds())
}

// forget ends the series of an experiment.
func (m *metrics) forget(name string) {
	m.arms.DeletePartialMatch(prometheus.Labels{"arm": name})
	m.stops.DeletePartialMatch(prometheus.Labels{"arm": name})
}

// collector reads what experiments and shadows count themselves.
type collector struct{ server *Server }

var (
	descRunning  = prometheus.NewDesc("experiment_running", "1 while the experiment runs, 0 when its budget has stopped it.", []string{"arm"}, nil)
	descPercent  = prometheus.NewDesc("experiment_percent", "Share of the users that the file gives to the experiment.", []string{"arm"}, nil)
	descRescued  = prometheus.NewDesc("experiment_rescued_total", "Requests of the experiment's users that production answered because the arm failed.", []string{"arm"}, nil)
	descCompared = prometheus.NewDesc("experiment_shadow_copies_total", "Copies sent to a shadow, by what the comparison found.", []string{"shadow", "verdict"}, nil)
	descDropped  = prometheus.NewDesc("experiment_shadow_dropped_total", "Copies for which there was no room.", []string{"shadow"}, nil)
	descSkipped  = prometheus.NewDesc("experiment_shadow_skipped_total", "Requests whose body was too long to copy.", []string{"shadow"}, nil)
)

func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descRunning, descPercent, descRescued, descCompared, descDropped, descSkipped} {
		ch <- d
	}
}

func (c *collector) Collect(ch chan<- prometheus.Metric) {
	counter := func(d *prometheus.Desc, v uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	table := c.server.table.Load()
	for name, t := range table.experiments {
		running := 1.0
		if t.stopped.Load() != nil {
			running = 0
		}
		ch <- prometheus.MustNewConstMetric(descRunning, prometheus.GaugeValue, running, name)
		ch <- prometheus.MustNewConstMetric(descPercent, prometheus.GaugeValue, 100*t.Percent.Share(), name)
		counter(descRescued, t.rescued.Load(), name)
	}
	for _, m := range table.shadows {
		r := m.shadow.Report()
		for verdict, n := range r.Verdicts {
			counter(descCompared, n, m.Name, verdict)
		}
		counter(descDropped, r.Dropped, m.Name)
		counter(descSkipped, r.Skipped, m.Name)
	}
}

package redismetrics

import (
	"context"
	"errors"
	"net"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/flotilla-dev/flotilla/adapters/redismetrics/info"
	"github.com/flotilla-dev/flotilla/internal/process"
)

// scrape is one look at a Redis, as a collector of a registry of its own.
type scrape struct {
	*exporter
	ctx    context.Context
	target target
}

// Describe implements prometheus.Collector. Which metrics there are depends on
// the server, so none is promised.
func (s *scrape) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector. A Redis that does not answer is a
// metric too, and no failure.
func (s *scrape) Collect(out chan<- prometheus.Metric) {
	began := time.Now()
	to := &sink{catalogue: s.catalogue, out: out}
	var connected atomic.Int64
	up, err := s.look(to, &connected)
	took := time.Since(began)
	s.observe(took)

	reason := reasonOf(err)
	if reason != "" {
		s.log.WarnContext(s.ctx, "scrape failed", "target", s.target.addr, "reason", reason, "error", err)
	}
	to.gauge("up", flag(up))
	to.gauge("exporter_last_scrape_error", flag(reason != ""), reason)
	to.gauge("exporter_last_scrape_duration_seconds", took.Seconds())
	to.gauge("exporter_last_scrape_connect_time_seconds", time.Duration(connected.Load()).Seconds())
	to.gauge("exporter_build_info", 1, process.Version(), "", "", runtime.Version())
	n, sum := s.observed()
	to.counter("exporter_scrapes_total", float64(n))
	to.summary("exporter_scrape_duration_seconds", n, sum, nil)
	to.counter("target_scrape_request_errors_total", float64(s.refused.Load()))
}

// look asks the Redis and shows what it says. It is up when it has answered
// INFO, even if more was asked and failed.
func (s *scrape) look(to *sink, connected *atomic.Int64) (up bool, err error) {
	options, err := s.options(s.target)
	if err != nil {
		return false, err
	}
	options.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
		began := time.Now()
		conn, err := s.dial(ctx, options.TLSConfig, network, addr)
		connected.CompareAndSwap(0, int64(time.Since(began)))
		return conn, err
	}
	connect := func(db int) *redis.Client {
		o := *options
		o.DB = db
		return redis.NewClient(&o)
	}
	client := connect(0)
	defer client.Close()
	a, err := ask(s.ctx, client, s.config)
	if err != nil {
		return false, err
	}
	i := info.Parse(a.info)
	now := time.Now()
	to.numbers(s.catalogue.fields, i)
	to.server(i, now)
	to.commands(i)
	to.histograms(a.histograms, i)
	to.slow(a)
	to.replication(i)
	to.keyspace(i, a.config)
	to.settings(a.config, bool(s.config.ConfigAll))
	to.clients(a.clients, now)
	to.gauge("last_key_groups_scrape_duration_milliseconds", 0)
	if i.Text("cluster_enabled") == "1" {
		text, err := client.ClusterInfo(s.ctx).Result()
		if err != nil {
			return true, err
		}
		to.numbers(s.catalogue.cluster, info.Parse(text))
	}
	return true, to.checkKeys(s.ctx, s.config, connect)
}

func flag(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// reasonOf is the closed set of reasons for which a scrape fails. The text of an
// error tells more, and is logged.
func reasonOf(err error) string {
	var answer redis.Error
	var network net.Error
	switch {
	case err == nil:
		return ""
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return "timeout"
	case errors.Is(err, context.Canceled):
		return "caller gone"
	case errors.As(err, &answer):
		return refusal(answer.Error())
	case errors.As(err, new(*net.OpError)):
		return "unreachable"
	case errors.Is(err, errCredentials):
		return "credentials unreadable"
	}
	return "no valid answer"
}

// refusal is the reason of an error that the Redis has answered.
func refusal(text string) string {
	first, _, _ := strings.Cut(text, " ")
	switch first {
	case "NOAUTH", "WRONGPASS":
		return "authentication"
	case "NOPERM":
		return "permission"
	case "LOADING":
		return "loading"
	}
	if strings.Contains(text, "AUTH") || strings.Contains(text, "password") {
		return "authentication"
	}
	return "refused"
}

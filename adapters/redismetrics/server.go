package redismetrics

import (
	"math"
	"time"

	"github.com/flotilla-dev/flotilla/adapters/redismetrics/info"
)

// number fields of INFO and CLUSTER INFO, as the table says.
func (s *sink) numbers(table []described, i *info.Info) {
	for _, f := range table {
		v, ok := i.Number(f.info)
		if !ok {
			continue
		}
		if f.scale != 0 {
			v *= f.scale
		}
		s.one(f, v)
	}
}

// server tells what the server is.
func (s *sink) server(i *info.Info, now time.Time) {
	labels := make([]string, 0, 9)
	for _, name := range []string{"role", "redis_version", "redis_build_id", "redis_mode", "os", "maxmemory_policy", "tcp_port", "run_id", "process_id"} {
		labels = append(labels, i.Text(name))
	}
	s.gauge("instance_info", 1, labels...)
	uptime, ok := i.Number("uptime_in_seconds")
	if !ok {
		return
	}
	at := float64(now.Unix())
	if micros, ok := i.Number("server_time_usec"); ok { // its own clock, so that ours does not matter
		at = math.Floor(micros / 1e6)
	}
	s.gauge("start_time_seconds", at-uptime)
}

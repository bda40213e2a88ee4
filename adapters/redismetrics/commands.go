package redismetrics

import (
	"strconv"
	"strings"

	"github.com/flotilla-dev/flotilla/adapters/redismetrics/info"
)

const microseconds = 1e-6

// commands tells of each command how often it was called and how long it took,
// and of each kind of error how often it was answered.
func (s *sink) commands(i *info.Info) {
	stats := map[string]info.Group{}
	for _, g := range i.Groups(info.Commands) {
		stats[g.Name] = g
		calls, _ := g.Number("calls")
		s.counter("commands_total", calls, g.Name)
		if usec, ok := g.Number("usec"); ok {
			s.counter("commands_duration_seconds_total", usec*microseconds, g.Name)
		}
		if n, ok := g.Number("rejected_calls"); ok { // since Redis 6.2
			s.counter("commands_rejected_calls_total", n, g.Name)
		}
		if n, ok := g.Number("failed_calls"); ok {
			s.counter("commands_failed_calls_total", n, g.Name)
		}
	}
	for _, g := range i.Groups(info.Latencies) {
		s.percentiles(g, stats[g.Name])
	}
	for _, g := range i.Groups(info.Errors) {
		if n, ok := g.Number("count"); ok {
			s.counter("errors_total", n, g.Name)
		}
	}
}

// percentiles shows p50=1.003,p99=8.031 as a summary, whose quantiles are in
// percent, as dashboards expect.
func (s *sink) percentiles(g, stat info.Group) {
	quantiles := map[float64]float64{}
	g.Each(func(key, value string) {
		q, err := strconv.ParseFloat(strings.TrimPrefix(key, "p"), 64)
		v, wrong := strconv.ParseFloat(value, 64)
		if err == nil && wrong == nil {
			quantiles[q] = v
		}
	})
	calls, _ := stat.Number("calls")
	usec, _ := stat.Number("usec")
	s.summary("latency_percentiles_usec", uint64(max(0, calls)), usec, quantiles, g.Name)
}

// histograms shows LATENCY HISTOGRAM: for each command a list of pairs, of which
// histogram_usec has upper bounds and how many calls were at most as slow.
func (s *sink) histograms(answer []any, i *info.Info) {
	sums := map[string]float64{}
	for _, g := range i.Groups(info.Commands) {
		sums[g.Name], _ = g.Number("usec")
	}
	for n := 0; n+1 < len(answer) && n < 2*info.Most; n += 2 {
		command := word(answer[n])
		details, ok := answer[n+1].([]any)
		if !ok {
			continue
		}
		var calls int64
		buckets := map[float64]uint64{}
		for k := 0; k+1 < len(details); k += 2 {
			switch word(details[k]) {
			case "calls":
				calls, _ = whole(details[k+1])
			case "histogram_usec":
				bounds, _ := details[k+1].([]any)
				for b := 0; b+1 < len(bounds); b += 2 {
					bound, ok := whole(bounds[b])
					count, good := whole(bounds[b+1])
					if ok && good && count >= 0 {
						buckets[float64(bound)] = uint64(count)
					}
				}
			}
		}
		s.histogram("commands_latencies_usec", uint64(max(0, calls)), sums[command], buckets, command)
	}
}

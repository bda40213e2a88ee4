// Package redismetrics is an adapter for monitoring: it asks a Redis in the
// Redis's own words and answers in those of Prometheus.
//
// Its metrics have the names, types and labels of redis_exporter, which
// dashboards and alerts for Redis are made for. A scrape is one connection and
// one exchange; its answer always is metrics: a Redis that is down, hangs or
// refuses is redis_up 0.
package redismetrics

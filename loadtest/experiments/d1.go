package experiments

import "github.com/flotilla-dev/flotilla/loadtest/proof"

func d1() proof.Pattern {
	return proof.Pattern{ID: "D1", Title: "Adapter: Prometheus metrics for Redis", Page: "d1-redismetrics.md", Experiments: []proof.Experiment{
		{Name: "families", Question: "Does a dashboard made for redis_exporter find every metric, with its type and labels?", Run: sameFamilies},
		{Name: "scrape", Question: "How long does a scrape take, beside redis_exporter?", Run: scrapes},
		{Name: "hung", Question: "And of a Redis that accepts connections and says nothing?", Run: hungRedis},
	}}
}

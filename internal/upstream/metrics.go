package upstream

import "github.com/prometheus/client_golang/prometheus"

// collector reads the pool's own counters when it is scraped, so that a request
// pays for no metric. Labels are bounded: an endpoint's series end when it
// leaves.
type collector struct {
	pool *Pool

	requests, inFlight, latency, state, ejected, ejections, changes *prometheus.Desc
	unavailable, panicking, unresolved, draining                    *prometheus.Desc
}

func (p *Pool) collector() *collector {
	constant := prometheus.Labels{"upstream": p.options.Name}
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("upstream_"+name, help, labels, constant)
	}
	return &collector{
		pool:        p,
		requests:    desc("requests_total", "Requests sent to an endpoint, by outcome.", "endpoint", "outcome"),
		inFlight:    desc("requests_in_flight", "Requests lent to an endpoint now.", "endpoint"),
		latency:     desc("latency_seconds", "Moving average of an endpoint's latency.", "endpoint"),
		state:       desc("endpoint_state", "1 for the state an endpoint is in.", "endpoint", "state"),
		ejected:     desc("endpoint_ejected", "1 while failed requests keep an endpoint out.", "endpoint"),
		ejections:   desc("ejections_total", "Ejections of an endpoint.", "endpoint"),
		changes:     desc("endpoint_changes_total", "Changes of an endpoint's state, ejections included.", "endpoint"),
		unavailable: desc("unavailable_total", "Requests for which no endpoint was usable."),
		panicking:   desc("panic", "1 while all endpoints are ejected and therefore all are used."),
		unresolved:  desc("source_errors_total", "Endpoint lists from DNS or file that could not be taken."),
		draining:    desc("endpoints_draining", "Endpoints that left and still have requests in flight."),
	}
}

func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.requests, c.inFlight, c.latency, c.state, c.ejected, c.ejections,
		c.changes, c.unavailable, c.panicking, c.unresolved, c.draining} {
		ch <- d
	}
}

func (c *collector) Collect(ch chan<- prometheus.Metric) {
	p := c.pool
	counter := func(d *prometheus.Desc, v uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	counter(c.unavailable, p.refused.Load())
	counter(c.unresolved, p.unresolved.Load())
	gauge(c.panicking, is(p.view.Load().panic))
	gauge(c.draining, float64(len(p.draining)))
	for _, e := range p.members {
		name := e.Name()
		for o := range outcomes {
			counter(c.requests, e.count[o].Load(), name, o.String())
		}
		for s, text := range states {
			gauge(c.state, is(e.health.state == State(s)), name, text)
		}
		gauge(c.inFlight, float64(e.InFlight()), name)
		gauge(c.latency, e.Latency().Seconds(), name)
		gauge(c.ejected, is(!e.health.ejectedUntil.IsZero()), name)
		counter(c.ejections, e.health.ejectedAll, name)
		counter(c.changes, e.health.changes, name)
	}
}

func is(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

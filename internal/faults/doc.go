// Package faults makes a process misbehave on purpose, by route and at run
// time, so that what is built to survive it can be seen surviving.
//
// A Set holds rules. The administration listener offers it as /faults when the
// process was started with FAULTS=on, and only then:
//
//	curl -X PUT localhost:9080/faults -d '[
//	  {"path": "/v1/", "fault": "latency", "delay": "100ms", "jitter": "50ms", "probability": 0.1},
//	  {"path": "/dog", "method": "GET", "fault": "status", "status": 503}
//	]'
//	curl localhost:9080/faults              # the rules
//	curl -X DELETE localhost:9080/faults    # no rules
//
// A PUT replaces all rules at once, or, when anything is wrong with it, none:
// the answer then names every mistake.
//
// # Rules
//
// path is a pattern as in http.ServeMux: one that ends in / matches everything
// below it, another one matches exactly; none matches all. method is a method;
// none matches all. probability (1 when left out) is the share of the matching
// requests that is hit. fault is one of
//
//	latency    wait for delay ± jitter (uniform), then go on
//	status     answer with status (400 to 599)
//	abort      close the connection without an answer
//	blackhole  never answer; the client's time-out ends it
//	pause      wait until the rules change, then go on
//
// Rules are tried in order. Latencies and pauses that hit add up; the first
// status, abort or blackhole that hits ends the request. Changing the rules
// sets paused requests free and aborts those in a black hole.
//
// # Transports
//
// A Set knows no transport. Decide says what is to happen to a request and
// Decision.Apply lets it happen as far as that is possible without a
// connection; Set.Wrap is all that net/http needs on top. Without rules Decide
// is one atomic load.
package faults

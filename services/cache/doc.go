// Package cache is a shared HTTP cache in front of a replicated service: a tier, or a sidecar.
//
// A request takes one of three ways. A hit is answered from memory. What may be stored but is not there, or
// has to be validated, becomes a flight: one request upstream, however many clients wait for it, whose body
// is passed on while it arrives. Everything else – unsafe methods, routes that the policy passes – goes
// upstream one by one.
//
//	client ─ http1 ─ exchange ┬─ store (hit)
//	                          ├─ flight ─ fill ─ origin ─ pool     (miss, validation; coalesced)
//	                          └─ pass ──────────── origin ─ pool   (uncacheable)
//
// The parts: rfc9111 decides, store keeps, spool holds bodies that are arriving, origin asks, policy says
// what the operator wants per path, http1 speaks to clients. This package puts them together.
//
// Before each request stands [Admission]: limits by client, and a bound on what is in flight (package limit).
// Purges and bans reach all replicas through package fanout; a replica that may have missed one validates
// everything that it sends.
package cache

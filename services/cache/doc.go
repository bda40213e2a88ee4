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
// Seams for what stands before and beside the cache: [Admission] (limits) is asked before each request,
// [Distributor] carries purges and bans to all replicas, and Doubt makes a replica that may have missed one
// validate everything that it sends.
package cache

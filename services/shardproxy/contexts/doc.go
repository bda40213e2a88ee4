// Package contexts knows the contexts of sessions: the region that a player is in, the
// document that an editor has open. Whoever shares a context is meant to share a shard.
//
// A context belongs to another service, which is asked: GET <path><session> is answered with
// 200 and {"context": "north"}, or with 404 for a session that has none. What it said is kept for
// a short time. That this is older than the truth does no harm: a shard that does not hold a
// session (any more) says so with 421, and then the caller gets what was asked for since.
//
//   - Look-ups of one session are one look-up, unless it began before the caller's since.
//   - While the service is away, what it said last serves for a while longer.
//   - The number of sessions is bounded; those used least recently are forgotten.
package contexts

// Package origin sends requests upstream: it picks a replica from the pool, repeats what may be repeated on
// another one within a retry budget, and bounds every wait.
//
// The path goes out exactly as it came in: %2F is not decoded. Hop-by-hop fields are the caller's to
// remove. The transport is net/http's: misses are bound by the upstream, and its handling of interim
// responses, stale keep-alive connections, truncated bodies and TLS is what we want.
package origin

// Package loads reads from the sharding proxies how much each shard gets and where it is served, and tells them
// to serve it elsewhere.
//
// Every proxy sees its own part of the requests. Put together, requests and rates add up, and of
// latencies the worst counts: a mean of percentiles is none.
//
// A look succeeds only if every proxy answers. Without the one that does not, rates would seem to
// fall, and a shard would be moved that it still sends to where it was.
//
// A proxy keeps a layout that it was sent until it restarts or its file changes. Then it has the places of its
// file, the proxies disagree, and Shard.Places tells so: the caller repairs it.
package loads

// Package shard is one shard of a pool: the servers that hold the same keys.
//
// A shard has one server, or several replicas. With one, everything goes there,
// and a failure is a failure of the shard.
//
// With replicas each key has an order of them, which is the same for all routers
// that have the same configuration: it begins with the replica that the key's
// checksum says, so that reads are spread. The first live one in that order
// answers reads and decides writes; what was done there is then done on the others,
// in the same order, because the answers of one connection come in the order of
// its requests.
//
// # A replica that missed a write
//
// A replica that fails is set aside at once, for Retry. What it misses meanwhile,
// or may have missed when it failed, is noted: before it is asked again, every
// key of a write that it missed is deleted on it, or, when there were more than
// MaxMissed of them, everything. So a replica that was away has less than the
// others, but nothing older. Another router that did not see it fail knows nothing
// of that: it may read an old value until the deletes have come.
package shard

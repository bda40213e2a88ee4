// Package pool is a pool of shards at work: it knows the shard of a key, leaves
// out shards that fail, and takes a changed configuration over while requests
// run.
//
// A change makes a new placement. Shards that are in both keep their
// connections; those that are gone get no new request, finish what is in flight,
// and close.
package pool

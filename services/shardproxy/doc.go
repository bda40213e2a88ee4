// Package shardproxy is a consistent HTTP sharding proxy: it sends each request to the
// shard that its key belongs to.
//
//	client → shardproxy → shard a: replica, replica
//	             ├──────→ shard b: replica, replica
//	             └──────→ …
//
// Which shards there are, what of a request is its key, and the function that places
// keys, is said by a file (package layout), which is watched. A table is made of it and
// replaced as a whole; each request keeps to the table that it began with.
//
// # How it is built
//
// A connection of a client is package front's; the exchange with a replica package hop's,
// an Upstream for each shard, so that replicas are checked, ejected and asked again within
// their shard. This package chooses the shard, counts what each of them gets, and answers
// for those that cannot. Where the context of a session is part of the key, package contexts
// looks it up.
//
// # What is guaranteed
//
// Who has the same file places every key alike, and as nginx does with "hash … consistent"
// where the function is nginx. A shard that drains or leaves gets no new request, and
// finishes those that it has. While all replicas of a shard are away, the next one in the
// order of each key stands in, and its keys return with it. A request is sent to another
// shard only where nothing of it was sent, where it may be sent twice, or where the first
// one said with 421 that it does not hold the session, and so has done nothing.
package shardproxy

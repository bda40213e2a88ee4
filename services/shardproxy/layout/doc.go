// Package layout says which shard a key belongs to: the file with the shards, and
// the placement made of it.
//
//	key: uri                 # what of a request counts: see internal/shardkey
//	function: nginx          # see sharding.NewOrder
//	bounded_load: 1.25       # most load of a shard, in shares; 0 or nothing: no bound
//	shards:
//	- name: 10.0.0.1:8080    # what is hashed
//	  weight: 1              # its share, beside the others'
//	  state: active          # or draining: it gets no new request
//	  replicas: 10.0.0.1:8080/9080,10.0.0.2:8080/9080
//	- {name: b, replicas: "${SHARDPROXY_UPSTREAM_B}"}
//
// # What is hashed
//
// The name of a shard is its place, and not where its replicas are: they may move, and
// no key does. To place keys as an nginx does, take the function nginx, and as names the
// addresses that nginx has in its configuration, as they are spelt there.
//
// The hash of a key is CRC-32 for the function nginx, and XXH64 (seed 0) for all others.
//
// # Draining
//
// A shard that drains keeps its place; its keys belong to those who stand in for it, in
// the order of the function. With nginx and rendezvous those are the shards that the keys
// belong to once it is taken out, so that they move once, whatever the weights.
//
// With ketama that holds while all weights are equal and each of the shards has as many points as
// it has when there is one shard less: at every number up to 24, and at most of those above. libmemcached's
// single precision gives each of 25 shards – and of 28 numbers in all up to 256, such as 47, 50 and 100 – 39 sums in
// place of 40, and from or to such a number a few keys of any shard move when one is taken out. So they do where
// weights differ: each shard's part of the whole is another one then, and with it its points.
//
// With modulo, jump and maglev keys may move again, too. A plan tells in every case.
package layout

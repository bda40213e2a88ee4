// Package memcached is the embedded memcached of a fleet that has no memcached
// server: the text and the meta protocol over a store in memory, with the
// listeners, probes and metrics of every other process.
//
// It is for one machine and one fleet. It is a cache: there is no persistence and
// no replication, an end of the process loses all items, and a full store forgets
// what was not used for longest.
//
// Like memcached 1.6: the answers, byte for byte, errors and quirks included; one
// suite and a random walk hold it against the real server. Flags, expiry relative
// and absolute, CAS values, incr and decr in place, delayed flush_all, the meta
// commands with vivify, recache and stale items.
// Unlike memcached: one LRU list instead of segments and slab classes, so that
// eviction is exact but its order differs; expiry is exact instead of to the
// second; expired items take room until they are asked for or pushed out; no
// binary protocol, no UDP, no SASL; of stats only the general and the settings; no
// commands of slabs, lru, lru_crawler, watch and extstore. And the data block of a
// storage command whose line is wrong is skipped, where memcached takes it for
// commands: what an application stores must never be executed.
package memcached

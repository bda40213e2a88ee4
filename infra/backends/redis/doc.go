// Package redis is the embedded Redis of a fleet that has no Redis server: the
// protocol and the commands of miniredis as a process of the fleet, with time
// that passes, bounds, INFO, and the listeners, probes and metrics of every
// other process.
//
// It is for one machine and one fleet. There is no persistence, no replication
// and no authentication: an end of the process, kind or not, loses all data.
// Whoever uses it must live with an empty Redis at any time, which is worth
// practising: a Redis used as a cache, a counter or a queue of hints may be lost
// in production too.
//
// Like Redis: RESP2 and RESP3, pipelining, MULTI and WATCH, Lua by EVAL and
// EVALSHA, streams with consumer groups, publish and subscribe, blocking
// commands, expiry, to within REDIS_TICK.
// Unlike Redis: no CONFIG, SLOWLOG, CLIENT LIST, no eviction (a full server
// refuses writes, as maxmemory-policy noeviction does), commands run one at a
// time but on several threads, LPUSH costs O(n).
package redis

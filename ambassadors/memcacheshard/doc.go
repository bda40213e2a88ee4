// Package memcacheshard is a sharding ambassador for memcached: an unmodified
// client talks to it as to one server on localhost, and it spreads the keys over
// many. The same program, run as a service of its own, is a shared shard router.
//
// It reads twemproxy's nutcracker.yaml as it is, and places every key as
// twemproxy does. Each pool of the file without redis: true gets a listener.
//
//	wire       the framing of the protocol: commands and answers
//	session    a client: commands in, answers in order out
//	pool       the shard of a key; ejection, return, changed files
//	shard      the servers that hold the same keys: replicas, failover, healing
//	link       one connection to a server, shared by all clients
//	thesaurus  the application that it is shown with
package memcacheshard

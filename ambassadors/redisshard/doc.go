// Package redisshard is a sharding ambassador for Redis: an unmodified client
// talks to it as to one server on localhost, and it spreads the keys over many.
//
// It reads twemproxy's nutcracker.yaml as it is, and places every key as
// twemproxy does. Each pool of the file that says redis: true gets a listener.
//
//	command    what is known of Redis's commands
//	resp       the framing of the protocol
//	session    a client: commands in, replies in order out
//	pool       the shard of a key; ejection, return, changed files
//	shard      a server: its connections, how they are opened and fail
//	link       one connection, shared by all clients
//
// The design, and what was measured for it, is in docs/decisions.
package redisshard

// Package nutcracker reads the configuration of twemproxy, nutcracker.yaml, as
// it is, and places keys on the servers of its pools as twemproxy does.
//
// A file describes pools, each with an address to listen on:
//
//	redis:
//	  listen: 127.0.0.1:6379
//	  hash: fnv1a_64
//	  distribution: ketama
//	  auto_eject_hosts: true
//	  redis: true
//	  timeout: 400
//	  server_retry_timeout: 2000
//	  server_failure_limit: 1
//	  servers:
//	   - sharded-redis-0.redis:6379:1
//	   - sharded-redis-1.redis:6379:1 server1
//
// Parse names every mistake with its line, pool and key at once. A server is
// "host:port:weight", and a name after a space is what the distribution hashes
// in place of the address. Without a name it hashes "host:port" – but the bare
// host where the port is 11211, as libmemcached does.
//
// A Placement is a pool at work: it picks the server of a key, and leaves out
// servers that fail server_failure_limit times in a row, for
// server_retry_timeout, in which the keys belong to the others.
//
// Times in the file are milliseconds. These keys are read, and have no effect
// here (Pool.Ignored lists those that a file sets): backlog and reuseport, which
// are the listener's, and tcpkeepalive, which is always on.
package nutcracker

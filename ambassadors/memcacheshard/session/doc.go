// Package session is the conversation with one client: commands in, the requests
// that they need out to the shards, and one answer for each command, in order.
//
// Most commands are one request to one server, passed on as it came. Others have
// a plan: a retrieval of several keys gathers values from several shards, a read
// of a shard with replicas goes on with the next one after a failure, and a write
// to such a shard is spread over all. Where several servers answer, the client
// sees one answer.
//
// Nothing that a client does makes others wait. It is read from no more while it
// has Pipeline commands without an answer, or leaves its answers unread; it is cut
// off when it does not take an answer for WriteTimeout, or holds much when all
// together hold too much.
package session

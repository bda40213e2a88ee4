// Package shard is a Redis server as sessions see it: requests are sent to it,
// and how its connections are opened, shared, watched and opened again is its
// own matter.
//
// A Shard keeps server_connections links for RESP2 and, once a client speaks it,
// as many for RESP3: the server then answers in the protocol of the client, and
// nothing has to be translated. All requests of one session go over one link of
// each kind, so they are run in the order in which they were sent. A session
// that needs the state of a connection for itself (WATCH) borrows a link.
//
// A link that ended is opened again by the next request. After a failed attempt
// that waits a little, longer each time up to a second; requests in between fail
// at once.
package shard

// Package session serves one client: it reads commands, sends each to its shard,
// and writes the replies in the order in which the commands came.
//
// A goroutine per client reads. Nothing waits for a reply: the goroutine of the
// link that brings it also writes it to the client, as far as the client takes it
// without waiting. So a request costs one wake-up in each direction, and none for
// the hand-over. A client that does not take its replies gets a goroutine that
// waits for it, and is cut off after a while.
//
// Bounds: a client with many requests in flight, or with many bytes of replies
// that it has not taken, is not read any further until it has fewer. When a reply
// exceeds the limit all the same, the client is cut off.
package session

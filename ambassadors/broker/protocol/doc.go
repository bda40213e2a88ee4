// Package protocol is the little that the broker knows of the protocols of the
// databases that it connects to: how one shows that it is alive, and how to tell a
// client, in words that its driver understands, that there is none.
//
// Everything else of a connection is bytes.
package protocol

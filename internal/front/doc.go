// Package front is the client's side of an HTTP/1.1 gateway: a connection whose
// requests are answered by an exchange with a replica (package hop).
//
// A Conn reads requests strictly (package h1), within limits of time and rate,
// passes bodies and trailers on while they come, and relays answers: whole,
// interim, switched to another protocol, or visibly cut short. Where a request
// goes, what its head says to the replica and what is written in a log is the
// gateway's own:
//
//	for c.Await(nil, nil) == nil {
//		c.Exchange.Head = append(c.Exchange.Head[:0], …)  // without the end of the head
//		err := c.Complete(limit)
//		if err == nil { err = upstream.Do(&c.Exchange) }
//		…
//		sent, err := c.Relay(head)
//		c.Exchange.Finish()
//	}
//	c.HangUp()
//
// A Conn belongs to one goroutine.
package front

// Package front is the client's side of an HTTP/1.1 gateway: a connection whose
// requests are answered by an exchange with a replica (package hop).
//
// A Conn reads requests strictly (package h1), within limits of time and rate,
// passes bodies and trailers on while they come, and relays answers: whole,
// interim, switched to another protocol, or visibly cut short. Where a request
// goes, what its head says to the replica and what is written in a log is the
// gateway's own:
//
//	for {
//		if _, err := c.Await(opening); err != nil { … }
//		c.Begin()
//		c.Exchange.Head = append(c.Exchange.Head[:0], …)  // all but what is said of the body
//		err := c.Complete(limit)
//		if err == nil {
//			err = upstream.Do(&c.Exchange)
//		}
//		…
//		sent, err := c.Relay(c.Framing(), head)
//		c.Exchange.Finish()
//	}
//	c.HangUp()
//
// A Conn belongs to one goroutine.
//
// A Server accepts connections, has package guard give each a seat, and drains them at the
// end: answers ask clients to leave, idle connections are closed, requests in progress are
// waited for. Who shares a listener with others of its kind accepts from it when it has
// somebody to ask (HoldOff), and leaves it first. Explain and Refusal are what clients
// are told instead of an answer.
package front

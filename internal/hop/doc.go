// Package hop makes the one HTTP/1.1 exchange with a replica that stands behind
// a request to a gateway, whatever protocol the client speaks.
//
// An Upstream picks replicas (internal/upstream), keeps their connections alive
// and spends the retry budget. An Exchange is one request and its answer. The
// caller writes the head, hands it over with the body, and gets the head of the
// answer back with a body to read:
//
//	x.Head = append(x.Head[:0], "GET / HTTP/1.1\r\nHost: a\r\n\r\n"...)
//	if err := u.Do(&x); err != nil { … }
//	… x.Response.Fields, x.Read …
//	x.Finish()
//
// # What is tried again
//
// A request without effect on the server or one that has the same effect twice,
// and whose bytes are all here (Replay), goes to another replica when the first
// one fails before the head of its answer is complete. Any request goes to
// another replica when no connection could be made, because then nothing was
// sent. Both within the budget. A kept-alive connection that the replica closed
// in the meantime is no failure: the request is sent once more over a new one.
// Answers are never retried, whatever their status.
//
// # Connections
//
// One goroutine, the caller's, sends the head and reads the answer. A second one
// exists only while a body that was not sent with the head is on its way up, so
// that an answer may begin before the body ends.
package hop

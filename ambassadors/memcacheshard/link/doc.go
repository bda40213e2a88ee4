// Package link is one connection to a server on which the requests of many
// clients go out, and the answers come back in the same order.
//
// A Link dials when it is first needed, and again after a failure. Who sends does
// not wait: a request is put behind others and goes out with the next Flush, so
// that the requests of clients that are served at the same time share a write.
// The answers of a read are handed to their receivers first, and these are then
// flushed, each once.
//
// Nothing is queued without bound or waited for without end. A link that has
// MaxCalls requests without an answer, or MaxBytes to write, refuses more; who can
// wait does so with Room. When the oldest request has no answer after Timeout,
// the connection is given up with everything on it: an answer that came late could
// not be told from the next one.
package link

// Package http1 is the client side of the data plane: an HTTP/1.1 server that hands a request to a handler
// and lets the handler write the response as bytes.
//
// Why not net/http or fasthttp: docs/decisions/0001-data-planes.md. In short: a cache has the header of a
// hit ready as bytes and wants to send it with the body in one writev; it must forward the Date that the
// origin gave, stream with a known length, break a transfer visibly, and speak to HTTP/1.0 clients.
//
// Requests are read by internal/h1: what two parsers could read in two ways is answered with the status that
// it deserves, and the connection is closed. A body that the handler did not read to its end closes the
// connection too, so that its bytes are never taken for the next request.
//
// Time limits: Idle between requests, Head for the whole head of a request, Stall for each read of a body
// and each write of a response.
package http1

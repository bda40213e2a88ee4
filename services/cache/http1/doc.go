// Package http1 is the client side of the data plane: an HTTP/1.1 server that hands a strictly parsed
// request to a handler and lets the handler write the response as bytes.
//
// Why not net/http or fasthttp: docs/decisions/0001-data-planes.md. In short: a cache has the header of a
// hit ready as bytes and wants to send it with the body in one writev; it must forward the Date that the
// origin gave, stream with a known length, break a transfer visibly, and speak to HTTP/1.0 clients.
//
// Strictness (RFC 9112): a request with a bare LF, a folded line, whitespace before a colon, control
// characters, more than one Host, a Content-Length beside Transfer-Encoding, differing or malformed
// lengths, or a coding other than chunked is answered with 400 and the connection is closed. A body that
// the handler did not read to its end closes the connection too, so that its bytes are never taken for the
// next request.
//
// Time limits: Idle between requests, Head for the whole head of a request, Stall for each read of a body
// and each write of a response.
package http1

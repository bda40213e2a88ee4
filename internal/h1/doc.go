// Package h1 reads HTTP/1.1 messages (RFC 9112) strictly.
//
// A gateway and the server behind it must agree on where a message ends: what
// one of them reads as a body the other must not read as a request. So nothing
// is repaired here. Bare LF, obsolete line folding, space before a colon, two
// lengths, a length beside a transfer coding, a coding other than chunked, and
// any malformed chunk are errors, with the status that the client deserves.
//
// Heads are parsed in place: the slices of a Request or Response point into the
// Reader's buffer and stay valid until the next head is read from it. Reading a
// body does not disturb them.
package h1

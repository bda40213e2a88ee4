// Package wire frames memcached's text and meta protocol without taking it apart
// more than a router must: a command or an answer is found in a buffer, and
// passed on as the bytes that came.
//
// Commands reads what clients send. It checks a line as far as needed to know
// that a server will give exactly one answer to it: what a server would refuse
// without that is refused here, in memcached's words. Wishes for silence, noreply
// and the flag q, are taken out: a router must hear every answer to know which
// one is next, and keeps quiet itself (see Command.Silent).
//
// Answers reads what servers send. An answer tells by its first word where it
// ends:
//
//	VALUE dog 0 3\r\nbow\r\nEND\r\n    values, until END
//	VA 3 f0\r\nbow\r\n                 a line and a data block
//	STORED\r\n                         anything else: a line
//
// Both go on where they stopped when a message comes in pieces, and hold no more
// than one message and a piece of the next.
//
//	https://docs.memcached.org/protocols/basic/
//	https://docs.memcached.org/protocols/meta/
package wire

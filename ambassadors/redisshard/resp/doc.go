// Package resp frames Redis's protocol, RESP2 and RESP3, without taking it apart:
// a command or a reply is found in a buffer, and passed on as the bytes that came.
//
// Commands reads what clients send: arrays of bulk strings, or a line of words
// ("PING\r\n"). Replies reads what servers send: any value, however nested.
// Both go on where they stopped when a message comes in pieces, hold no more
// than one message and a piece of the next, and refuse one that is larger than
// their limit.
//
//	https://redis.io/docs/latest/develop/reference/protocol-spec/
package resp

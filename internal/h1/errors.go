package h1

import "net/http"

// An Error is a message that cannot be accepted. Status is what a client that
// sent it is answered with; after any of them the connection must be closed,
// because nobody knows where the next message would begin.
type Error struct {
	Status int
	Name   string // of the problem type
	Detail string
}

func (e *Error) Error() string { return e.Detail }

func bad(detail string) *Error {
	return &Error{http.StatusBadRequest, "malformed-request", detail}
}

// The closed set of reasons to refuse a message.
var (
	ErrRequestLine  = bad("the request line is malformed")
	ErrTarget       = bad("the request target is neither a path nor an http URL")
	ErrTargetByte   = bad("the request target has a character that must be percent-encoded")
	ErrVersion      = &Error{http.StatusHTTPVersionNotSupported, "version-not-supported", "only HTTP/1.0 and HTTP/1.1 are spoken on this connection"}
	ErrFieldName    = bad("a field name is malformed")
	ErrFieldValue   = bad("a field value has a control character")
	ErrFolded       = bad("a field is folded over several lines, which RFC 9112 forbids")
	ErrBareLF       = bad("a line ends without a carriage return")
	ErrHost         = bad("exactly one well-formed Host field is needed")
	ErrLength       = bad("Content-Length is not one decimal number")
	ErrTwoLengths   = bad("Content-Length and Transfer-Encoding exclude each other")
	ErrCoding       = &Error{http.StatusNotImplemented, "transfer-coding", "the only transfer coding is chunked, once"}
	ErrOldCoding    = bad("HTTP/1.0 has no transfer codings")
	ErrChunk        = bad("a chunk of the body is malformed")
	ErrTrailer      = bad("the trailer section is malformed or too long")
	ErrExpectation  = &Error{http.StatusExpectationFailed, "expectation", "the only expectation is 100-continue"}
	ErrHeadTooLong  = &Error{http.StatusRequestHeaderFieldsTooLarge, "header-too-large", "the header section is larger than this server accepts"}
	ErrFields       = &Error{http.StatusRequestHeaderFieldsTooLarge, "header-too-large", "there are more header fields than this server accepts"}
	ErrTargetLength = &Error{http.StatusRequestURITooLong, "uri-too-long", "the request target is longer than this server accepts"}
	ErrBodyTooLong  = &Error{http.StatusRequestEntityTooLarge, "body-too-large", "the body is larger than this route accepts"}
	ErrStatusLine   = &Error{http.StatusBadGateway, "upstream-failed", "the status line is malformed"}
)

// Bounds that no parameter changes.
const (
	MaxFields  = 128     // fields of one head
	MaxTarget  = 8 << 10 // bytes of a request target
	maxHost    = 253 + 6 // bytes of a name and a port
	maxChunk   = 256     // bytes of a chunk's size line with its extensions
	maxTrailer = 4 << 10 // bytes of a trailer section
)

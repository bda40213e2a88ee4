package http1

import (
	"net/http"
	"strings"
	"unsafe"

	"github.com/flotilla-dev/flotilla/internal/h1"
	"github.com/flotilla-dev/flotilla/services/cache/rfc9111"
)

// MaxHead bounds the head of a request; h1 bounds what is in it.
const MaxHead = 16 << 10

// errConnect refuses the one method whose target names nothing that could be cached or passed on.
var errConnect = &h1.Error{Status: http.StatusNotImplemented, Name: "method-not-allowed", Detail: "CONNECT is not supported"}

// Request is the head of a request in the terms of rfc9111. All strings point into the connection's buffer
// and die when the handler returns: clone what is kept.
type Request struct {
	Method string
	// Path begins with a slash, or is "*", and is exactly as sent: %2F stays %2F. Query is without its "?",
	// HasQuery tells an empty one from none.
	Path, Query string
	HasQuery    bool
	Host        string
	Header      rfc9111.Header
	// Length of the body: 0 none, -1 chunked.
	Length int64
}

// view shows a parsed head. Header's backing array is reused.
func (r *Request) view(q *h1.Request) {
	header := r.Header[:0]
	for i := range q.Fields {
		header = append(header, rfc9111.Field{Name: text(q.Fields[i].Name), Value: text(q.Fields[i].Value)})
	}
	*r = Request{Method: text(q.Method), Host: text(q.Host), Header: header}
	r.Path, r.Query, r.HasQuery = strings.Cut(text(q.Target), "?")
	if q.HasBody() {
		r.Length = q.Length
	}
}

// text is b as a string, without a copy. The reader leaves a head alone until the next one is read, and
// that is after the handler has returned.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

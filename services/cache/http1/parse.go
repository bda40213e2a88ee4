package http1

import (
	"errors"
	"net/http"
	"strings"

	"github.com/flotilla-dev/flotilla/services/cache/rfc9111"
)

// The limits of a request head.
const (
	MaxHead    = 16 << 10
	MaxTarget  = 8 << 10
	MaxHeaders = 100
)

// StatusError is a request that is refused before a handler sees it.
type StatusError struct {
	Status int
	Name   string // of the problem type
	Reason string
}

func (e *StatusError) Error() string { return e.Reason }

func bad(reason string) error {
	return &StatusError{http.StatusBadRequest, "malformed-request", reason}
}

var (
	errHeadTooLarge = &StatusError{http.StatusRequestHeaderFieldsTooLarge, "header-too-large", "request head too large"}
	errURITooLong   = &StatusError{http.StatusRequestURITooLong, "uri-too-long", "request target too long"}
	errTooMany      = &StatusError{http.StatusRequestHeaderFieldsTooLarge, "header-too-large", "too many header fields"}
	errVersion      = &StatusError{http.StatusHTTPVersionNotSupported, "version-not-supported", "HTTP version not supported"}
	errCoding       = &StatusError{http.StatusNotImplemented, "transfer-coding", "transfer coding not supported"}
)

// errUnread is why a connection closes although the response was complete.
var errUnread = errors.New("request body was not read")

// Request is a parsed request head. All strings point into the connection's buffer and die when the
// handler returns: clone what is kept.
type Request struct {
	Method string
	// Path begins with a slash and is exactly as sent: %2F stays %2F. Query is without its "?", HasQuery
	// tells an empty one from none.
	Path, Query string
	HasQuery    bool
	Host        string
	Header      rfc9111.Header
	// Minor is the minor version: 0 or 1.
	Minor byte
	// Length of the body: 0 none, -1 chunked.
	Length int64
	// Close: the client wants the connection closed after this request.
	Close bool
	// Expect: the client waits for 100 Continue.
	Expect bool
}

// parse reads a whole head, which ends with an empty line. Header's backing array is reused.
func (r *Request) parse(head string) error {
	*r = Request{Header: r.Header[:0]}
	line, rest, err := cutLine(head)
	if err != nil {
		return err
	}
	authority, err := r.requestLine(line)
	if err != nil {
		return err
	}
	for {
		if line, rest, err = cutLine(rest); err != nil {
			return err
		}
		if line == "" {
			break
		}
		if len(r.Header) == MaxHeaders {
			return errTooMany
		}
		if err := r.field(line); err != nil {
			return err
		}
	}
	return r.finish(authority)
}

// cutLine cuts one line that ends in CRLF.
func cutLine(s string) (line, rest string, err error) {
	i := strings.IndexByte(s, '\n')
	if i < 1 || s[i-1] != '\r' {
		return "", "", bad("a line does not end in CRLF")
	}
	return s[:i-1], s[i+1:], nil
}

// requestLine parses "method SP target SP HTTP/1.x" and returns the authority of an absolute target.
func (r *Request) requestLine(line string) (authority string, err error) {
	method, rest, ok := strings.Cut(line, " ")
	target, version, ok2 := strings.Cut(rest, " ")
	if !ok || !ok2 || !isToken(method) || target == "" {
		return "", bad("malformed request line")
	}
	switch {
	case version == "HTTP/1.1":
		r.Minor = 1
	case version == "HTTP/1.0":
	case len(version) == 8 && strings.HasPrefix(version, "HTTP/") && version[6] == '.' && isDigit(version[5]) && isDigit(version[7]):
		return "", errVersion
	default:
		return "", bad("malformed request line")
	}
	if len(target) > MaxTarget {
		return "", errURITooLong
	}
	for i := range len(target) {
		if c := target[i]; c <= ' ' || c >= 0x7f || c == '#' {
			return "", bad("the request target holds a character that has to be percent-encoded")
		}
	}
	r.Method = method
	return r.target(target)
}

func (r *Request) target(target string) (authority string, err error) {
	switch {
	case target[0] == '/':
	case target == "*" && r.Method == "OPTIONS":
	case r.Method == "CONNECT":
		return "", &StatusError{http.StatusNotImplemented, "method-not-allowed", "CONNECT is not supported"}
	default:
		scheme, rest, ok := strings.Cut(target, "://")
		if !ok || !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") {
			return "", bad("the request target is neither a path nor an http URL")
		}
		i := strings.IndexAny(rest, "/?")
		switch {
		case i < 0:
			authority, target = rest, "/"
		case rest[i] == '?':
			authority, r.Path = rest[:i], "/"
			r.Query, r.HasQuery = rest[i+1:], true
		default:
			authority, target = rest[:i], rest[i:]
		}
		if authority == "" || strings.IndexByte(authority, '@') >= 0 {
			return "", bad("the request target has no valid authority")
		}
	}
	if r.Path == "" {
		r.Path, r.Query, r.HasQuery = strings.Cut(target, "?")
	}
	return authority, nil
}

// field parses "name: value".
func (r *Request) field(line string) error {
	colon := strings.IndexByte(line, ':')
	if colon < 1 || !isToken(line[:colon]) {
		return bad("malformed header field name")
	}
	value := strings.Trim(line[colon+1:], " \t")
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return bad("control character in a header field")
		}
	}
	r.Header = append(r.Header, rfc9111.Field{Name: line[:colon], Value: value})
	return nil
}

// finish works out host, framing and persistence.
func (r *Request) finish(authority string) error {
	hosts, lengths, codings := 0, 0, 0
	var host, length, coding string
	r.Close = r.Minor == 0
	for i := range r.Header {
		f := &r.Header[i]
		switch len(f.Name) {
		case 4:
			if strings.EqualFold(f.Name, "Host") {
				hosts, host = hosts+1, f.Value
			}
		case 6:
			if strings.EqualFold(f.Name, "Expect") {
				r.Expect = r.Minor == 1 && strings.EqualFold(f.Value, "100-continue")
			}
		case 10:
			if strings.EqualFold(f.Name, "Connection") {
				r.Close = r.Close || hasToken(f.Value, "close")
			}
		case 14:
			if strings.EqualFold(f.Name, "Content-Length") {
				lengths, length = lengths+1, f.Value
			}
		case 17:
			if strings.EqualFold(f.Name, "Transfer-Encoding") {
				codings, coding = codings+1, f.Value
			}
		}
	}
	switch {
	case hosts > 1 || hosts == 0 && r.Minor == 1:
		return bad("want exactly one Host")
	case lengths > 1 || lengths == 1 && codings > 0:
		return bad("contradicting message lengths")
	case codings > 0 && r.Minor == 0:
		return bad("Transfer-Encoding in an HTTP/1.0 request")
	case codings > 1 || codings == 1 && !strings.EqualFold(coding, "chunked"):
		return errCoding
	}
	if authority != "" {
		host = authority
	}
	if r.Host = host; !validHost(host, r.Minor == 0) {
		return bad("malformed Host")
	}
	if codings == 1 {
		r.Length = -1
		return nil
	}
	if lengths == 0 {
		return nil
	}
	n, ok := rfc9111.ParseDeltaSeconds(length)
	if !ok || len(length) > 18 {
		return bad("malformed Content-Length")
	}
	if n == rfc9111.MaxSeconds {
		n = parseLength(length)
	}
	r.Length = n
	return nil
}

// parseLength parses up to 18 digits.
func parseLength(s string) (n int64) {
	for i := range len(s) {
		n = n*10 + int64(s[i]-'0')
	}
	return n
}

package h1

import "bytes"

// A Request is the head of a request. Reuse it: ReadRequest overwrites it.
type Request struct {
	Method []byte
	Target []byte // in origin form: it begins with "/", or is "*"; but of CONNECT as it came
	Minor  int    // of the version: HTTP/1.<Minor>
	Host   []byte // with the port, if any; empty only in HTTP/1.0
	Fields []Field
	Expect bool // 100-continue
	framing
}

// HasBody tells whether a body follows. One of length 0 is none.
func (q *Request) HasBody() bool { return q.Length > 0 || q.Length == lengthChunked }

// Chunked tells whether the length of the body is unknown before its end.
func (q *Request) Chunked() bool { return q.Length == lengthChunked }

// Persists tells whether the client lets the connection live on.
func (q *Request) Persists() bool { return q.Minor == 1 && !q.Close }

// WantsUpgrade is the protocol that the client offers to change to, or nil. An
// upgrade to HTTP/2 is never passed on: it would carry requests past the rules
// of the edge (h2c smuggling).
func (q *Request) WantsUpgrade() []byte {
	if q.Minor != 1 || !q.upgrade || len(q.Upgrade) == 0 || q.HasBody() || bytes.IndexByte(q.Upgrade, ',') >= 0 {
		return nil
	}
	if len(q.Upgrade) >= 2 && equalFold(q.Upgrade[:2], "h2") || len(q.Upgrade) >= 5 && equalFold(q.Upgrade[:5], "http/") {
		return nil
	}
	return q.Upgrade
}

// ReadRequest reads a head of at most limit bytes.
func (r *Reader) ReadRequest(q *Request, limit int) error {
	head, err := r.head(limit)
	if err == ErrHeadTooLong && r.lineLength() > limit {
		return ErrTargetLength // what makes a line long is its target
	}
	if err != nil {
		return err
	}
	q.reset()
	*q = Request{Fields: q.Fields[:0], framing: q.framing}
	end := bytes.IndexByte(head, '\n')
	if end < 1 || head[end-1] != '\r' {
		return ErrBareLF
	}
	if err := q.requestLine(head[:end-1]); err != nil {
		return err
	}
	if q.Fields, err = parseFields(q.Fields, head[end+1:]); err != nil {
		return err
	}
	return q.interpret()
}

func (q *Request) requestLine(line []byte) error {
	first, last := bytes.IndexByte(line, ' '), bytes.LastIndexByte(line, ' ')
	if first < 1 || first == last {
		return ErrRequestLine
	}
	version := line[last+1:]
	if len(version) != 8 || string(version[:5]) != "HTTP/" || version[6] != '.' || !digit(version[5]) || !digit(version[7]) {
		return ErrRequestLine
	}
	if version[5] != '1' || version[7] > '1' {
		return ErrVersion
	}
	q.Minor = int(version[7] - '0')
	q.Method, q.Target = line[:first:first], line[first+1:last:last]
	if !token(q.Method) || len(q.Target) == 0 {
		return ErrRequestLine
	}
	if len(q.Target) > MaxTarget {
		return ErrTargetLength
	}
	for _, c := range q.Target {
		if c <= ' ' || c >= 0x7f || c == '#' {
			return ErrTargetByte
		}
	}
	return nil
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// interpret checks the fields that decide how the message is read.
func (q *Request) interpret() error {
	hosts := 0
	for i := range q.Fields {
		field := &q.Fields[i]
		switch field.Kind {
		case Host:
			q.Host = field.Value
			hosts++
		case Expect:
			if !equalFold(field.Value, "100-continue") {
				return ErrExpectation
			}
			q.Expect = q.Minor == 1
		case Other:
		default:
			if err := q.add(field); err != nil {
				return err
			}
		}
	}
	if hosts > 1 || hosts == 0 && q.Minor == 1 {
		return ErrHost
	}
	if q.Chunked() && q.Minor == 0 {
		return ErrOldCoding
	}
	q.Expect = q.Expect && q.HasBody()
	if err := q.target(); err != nil {
		return err
	}
	if !validHost(q.Host) && (q.Minor == 1 || len(q.Host) > 0) {
		return ErrHost
	}
	return nil
}

// target brings the target into origin form.
func (q *Request) target() error {
	switch {
	case q.Target[0] == '/':
	case string(q.Target) == "*" && string(q.Method) == "OPTIONS":
	case string(q.Method) == "CONNECT": // a method that no route has; the caller says so
	default:
		return q.absolute()
	}
	return nil
}

// absolute takes a target in absolute form apart. Its authority takes the place
// of Host (RFC 9112, 3.2.2).
func (q *Request) absolute() error {
	start := schemeLength(q.Target)
	if start == 0 {
		return ErrTarget
	}
	authority := q.Target[start:]
	end := bytes.IndexAny(authority, "/?")
	switch {
	case end < 0:
		q.Host, q.Target = authority, slash
	case authority[end] == '/':
		q.Host, q.Target = authority[:end], authority[end:]
	default: // an empty path stands for "/"; a byte of the scheme makes room for it
		moved := q.Target[start-1:]
		copy(moved, authority[:end])
		moved[end] = '/'
		q.Host, q.Target = moved[:end], moved[end:]
	}
	if len(q.Host) == 0 {
		return ErrHost
	}
	return nil
}

var slash = []byte("/")

// schemeLength is the length of "http://" or "https://" before a target, or 0.
func schemeLength(target []byte) int {
	for _, scheme := range []string{"http://", "https://"} {
		if len(target) > len(scheme) && equalFold(target[:len(scheme)], scheme) {
			return len(scheme)
		}
	}
	return 0
}

// validHost tells whether the bytes are those of a name or an address, with a
// port or without. What else a URL allows (percent-encoding, user information)
// is in no name that can be looked up.
func validHost(host []byte) bool {
	for _, c := range host {
		if !isHost[c] {
			return false
		}
	}
	return len(host) > 0 && len(host) <= maxHost
}

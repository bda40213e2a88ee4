package h1

import "bytes"

// A Response is the head of a response. Reuse it: ReadResponse overwrites it.
type Response struct {
	Status int
	Minor  int
	Reason []byte
	Fields []Field
	framing
}

// Interim tells whether another response to the same request follows.
func (p *Response) Interim() bool { return p.Status < 200 && p.Status != 101 }

// Persists tells whether the connection can carry another request, provided
// that the body has an end of its own.
func (p *Response) Persists() bool {
	return !p.Close && (p.Minor == 1 || p.KeepAlive)
}

// BodyLength is the length of the body of this response to a request: -1 is
// chunked, -2 means that the end of the connection is the end of the body.
func (p *Response) BodyLength(toHead bool) int64 {
	if toHead || p.Status < 200 || p.Status == 204 || p.Status == 304 {
		return 0
	}
	return p.Length
}

// Declared is the value of Content-Length, or -1 when there is none. An answer
// to HEAD has one without a body.
func (p *Response) Declared() int64 { return max(p.Length, -1) }

// ReadResponse reads a head of at most limit bytes.
func (r *Reader) ReadResponse(p *Response, limit int) error {
	head, err := r.head(limit)
	if err != nil {
		return err
	}
	p.reset()
	*p = Response{Fields: p.Fields[:0], framing: p.framing}
	end := bytes.IndexByte(head, '\n')
	if end < 1 || head[end-1] != '\r' {
		return ErrBareLF
	}
	if err := p.statusLine(head[:end-1]); err != nil {
		return err
	}
	if p.Fields, err = parseFields(p.Fields, head[end+1:]); err != nil {
		return err
	}
	for i := range p.Fields {
		if field := &p.Fields[i]; field.Kind != Other {
			if err := p.add(field); err != nil {
				return err
			}
		}
	}
	return nil
}

// statusLine parses "HTTP/1.1 200 OK"; the reason, and the space before it, may
// be missing.
func (p *Response) statusLine(line []byte) error {
	if len(line) < 12 || string(line[:7]) != "HTTP/1." || line[7] > '1' || line[7] < '0' || line[8] != ' ' {
		return ErrStatusLine
	}
	if len(line) > 12 && line[12] != ' ' {
		return ErrStatusLine
	}
	for _, c := range line[9:12] {
		if !digit(c) {
			return ErrStatusLine
		}
		p.Status = p.Status*10 + int(c-'0')
	}
	if p.Status < 100 {
		return ErrStatusLine
	}
	p.Minor = int(line[7] - '0')
	if len(line) > 13 {
		p.Reason = line[13:]
		for _, c := range p.Reason {
			if c < ' ' && c != '\t' || c == 0x7f {
				return ErrStatusLine
			}
		}
	}
	return nil
}

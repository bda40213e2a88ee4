package h1

import "bytes"

// A Field is one header or trailer field. Its slices point into the Reader.
type Field struct {
	Name, Value []byte
	Kind        Kind
}

// fields parses the lines of a head after its first one. head ends with the
// empty line.
func parseFields(into []Field, lines []byte) ([]Field, error) {
	for len(lines) > 2 {
		end := bytes.IndexByte(lines, '\n')
		if end < 1 || lines[end-1] != '\r' {
			return into, ErrBareLF
		}
		line := lines[:end-1]
		lines = lines[end+1:]
		if len(into) == MaxFields {
			return into, ErrFields
		}
		field, err := parseField(line)
		if err != nil {
			return into, err
		}
		into = append(into, field)
	}
	return into, nil
}

func parseField(line []byte) (Field, error) {
	if len(line) > 0 && (line[0] == ' ' || line[0] == '\t') {
		return Field{}, ErrFolded
	}
	colon := bytes.IndexByte(line, ':')
	if colon < 1 || !token(line[:colon]) {
		return Field{}, ErrFieldName
	}
	value := trim(line[colon+1:])
	for _, c := range value {
		if c < ' ' && c != '\t' || c == 0x7f {
			return Field{}, ErrFieldValue
		}
	}
	return Field{Name: line[:colon:colon], Value: value, Kind: KindOf(line[:colon])}, nil
}

// trim cuts optional white space from both ends.
func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

// framing is what the fields of a message say about the connection and about
// where the message ends.
type framing struct {
	Length    int64 // of the body; -1: chunked; -2: no field says it
	Close     bool  // Connection: close
	KeepAlive bool  // Connection: keep-alive
	upgrade   bool  // Connection: upgrade
	Upgrade   []byte
	Trailers  bool     // TE: trailers
	listed    [][]byte // other names in Connection: these fields end here too
}

const (
	lengthChunked = -1
	lengthUnknown = -2
)

func (f *framing) reset() { *f = framing{Length: lengthUnknown, listed: f.listed[:0]} }

// add takes note of one field.
func (f *framing) add(field *Field) error {
	switch field.Kind {
	case Connection:
		f.connection(field.Value)
	case Upgrade:
		f.Upgrade = field.Value
	case TE:
		eachToken(field.Value, func(t []byte) {
			f.Trailers = f.Trailers || equalFold(t, "trailers")
		})
	case ContentLength:
		return f.contentLength(field.Value)
	case TransferEncoding:
		if f.Length >= 0 {
			return ErrTwoLengths
		}
		if f.Length == lengthChunked || !equalFold(field.Value, "chunked") {
			return ErrCoding
		}
		f.Length = lengthChunked
	}
	return nil
}

func (f *framing) connection(value []byte) {
	eachToken(value, func(t []byte) {
		switch {
		case equalFold(t, "close"):
			f.Close = true
		case equalFold(t, "keep-alive"):
			f.KeepAlive = true
		case equalFold(t, "upgrade"):
			f.upgrade = true
		default:
			f.listed = append(f.listed, t)
		}
	})
}

func (f *framing) contentLength(value []byte) error {
	if f.Length == lengthChunked {
		return ErrTwoLengths
	}
	if f.Length >= 0 || len(value) == 0 || len(value) > 18 {
		return ErrLength
	}
	var n int64
	for _, c := range value {
		if c < '0' || c > '9' {
			return ErrLength
		}
		n = n*10 + int64(c-'0')
	}
	f.Length = n
	return nil
}

// Forward tells whether a field goes on to the next hop as it is. Framing
// fields are not among them: they are written anew.
func (f *framing) Forward(field *Field) bool {
	if field.Kind.EndsHere() || field.Kind == ContentLength {
		return false
	}
	for _, name := range f.listed {
		if bytes.EqualFold(name, field.Name) {
			return false
		}
	}
	return true
}

// eachToken visits the elements of a comma-separated list.
func eachToken(list []byte, visit func([]byte)) {
	for len(list) > 0 {
		element := list
		if i := bytes.IndexByte(list, ','); i >= 0 {
			element, list = list[:i], list[i+1:]
		} else {
			list = nil
		}
		if element = trim(element); len(element) > 0 {
			visit(element)
		}
	}
}

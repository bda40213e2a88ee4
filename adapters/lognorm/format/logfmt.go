package format

import (
	"bytes"
	"strconv"

	"github.com/flotilla-dev/flotilla/adapters/lognorm/record"
)

// Logfmt reads key=value pairs:
//
//	time=2024-03-05T10:11:12Z level=info msg="a message" took=12ms
//
// The whole line must be of pairs, at least two, and not all of them empty, which
// base64 can look like. The conventional keys are those of JSON.
func Logfmt(e *Env, line []byte, r *record.Record) bool {
	first := bytes.IndexByte(line, '=')
	if first < 1 || bytes.IndexByte(line[first+1:], '=') < 0 || !isKey(line[:first]) {
		return false
	}
	if !pairs(line, r) || len(r.Attrs) < 2 || allEmpty(r.Attrs) {
		return false
	}
	conventional(e, r)
	return true
}

func allEmpty(attrs []record.Attr) bool {
	for _, a := range attrs {
		if len(a.Value.Bytes()) > 0 {
			return false
		}
	}
	return true
}

// pairs adds the pairs of a text as attributes. It is false when the text has
// anything else, or too many of them.
func pairs(text []byte, r *record.Record) bool {
	for i := 0; i < len(text); {
		if text[i] == ' ' {
			i++
			continue
		}
		n := bytes.IndexByte(text[i:], '=')
		if n < 1 || !isKey(text[i:i+n]) {
			return false
		}
		key := text[i : i+n]
		i += n + 1
		var value []byte
		switch {
		case i < len(text) && text[i] == '"':
			var ok bool
			if value, n, ok = quotedText(text[i:]); !ok {
				return false
			}
		default:
			if n = bytes.IndexByte(text[i:], ' '); n < 0 {
				n = len(text) - i
			}
			value = text[i : i+n]
			if bytes.IndexByte(value, '"') >= 0 {
				return false
			}
		}
		i += n
		if i < len(text) && text[i] != ' ' {
			return false
		}
		if !r.Set(key, record.Text(value)) {
			return false
		}
	}
	return true
}

// isKey tells whether text can be the key of a pair. That it begins with a
// letter keeps base64 and formulas out.
func isKey(text []byte) bool {
	if len(text) > 128 || !isLetter(text[0]) && text[0] != '_' && text[0] != '@' {
		return false
	}
	for _, b := range text {
		if !isLetter(b) && !isDigit(b) && b != '_' && b != '.' && b != '-' && b != '@' && b != '/' {
			return false
		}
	}
	return true
}

// quotedText reads a text in quotes at the beginning of b, and returns it and
// the length that it has with them.
func quotedText(b []byte) (text []byte, n int, ok bool) {
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '"':
			if bytes.IndexByte(b[1:i], '\\') < 0 {
				return b[1:i], i + 1, true
			}
			s, err := strconv.Unquote(string(b[:i+1]))
			if err != nil {
				return b[1:i], i + 1, true // an escape of another language: as it stands
			}
			return []byte(s), i + 1, true
		case '\\':
			i++
		}
	}
	return nil, 0, false
}

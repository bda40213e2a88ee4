// Package rawjson takes objects of JSON apart without decoding what is in them:
// a log line is looked at for its time and level, and the rest of it is passed
// on as it stands.
//
// It is strict, by RFC 8259: what it takes for valid, encoding/json does too
// (a fuzz test holds them together), except for nesting past MaxDepth. Whether
// strings are UTF-8 is for the caller to see to.
package rawjson

import "bytes"

// MaxDepth bounds the nesting of a value.
const MaxDepth = 64

// Member is a member of an object: its name as a string of JSON, quotes
// included, and its value.
type Member struct{ Name, Value []byte }

// Members appends the members of the object that in is, with nothing but space
// around it.
func Members(in []byte, to []Member) ([]Member, bool) {
	i := space(in, 0)
	if i == len(in) || in[i] != '{' {
		return to, false
	}
	i = space(in, i+1)
	if i < len(in) && in[i] == '}' {
		return to, space(in, i+1) == len(in)
	}
	for {
		name := i
		if i = skipString(in, i); i < 0 {
			return to, false
		}
		m := Member{Name: in[name:i]}
		if i = space(in, i); i == len(in) || in[i] != ':' {
			return to, false
		}
		value := space(in, i+1)
		if i = skipValue(in, value, 1); i < 0 {
			return to, false
		}
		m.Value = in[value:i]
		to = append(to, m)
		if i = space(in, i); i == len(in) {
			return to, false
		}
		switch in[i] {
		case ',':
			i = space(in, i+1)
		case '}':
			return to, space(in, i+1) == len(in)
		default:
			return to, false
		}
	}
}

// Elements appends the elements of the array that in is.
func Elements(in []byte, to [][]byte) ([][]byte, bool) {
	i := space(in, 0)
	if i == len(in) || in[i] != '[' {
		return to, false
	}
	i = space(in, i+1)
	if i < len(in) && in[i] == ']' {
		return to, space(in, i+1) == len(in)
	}
	for {
		from := i
		if i = skipValue(in, from, 1); i < 0 {
			return to, false
		}
		to = append(to, in[from:i])
		if i = space(in, i); i == len(in) {
			return to, false
		}
		switch in[i] {
		case ',':
			i = space(in, i+1)
		case ']':
			return to, space(in, i+1) == len(in)
		default:
			return to, false
		}
	}
}

// Valid tells that in is one value.
func Valid(in []byte) bool {
	end := skipValue(in, space(in, 0), 0)
	return end >= 0 && space(in, end) == len(in)
}

func space(in []byte, i int) int {
	for i < len(in) && (in[i] == ' ' || in[i] == '\t' || in[i] == '\n' || in[i] == '\r') {
		i++
	}
	return i
}

// The skip functions return the index after what begins at i, or -1.

func skipValue(in []byte, i, depth int) int {
	if i >= len(in) || depth > MaxDepth {
		return -1
	}
	switch c := in[i]; {
	case c == '"':
		return skipString(in, i)
	case c == '{':
		return skipObject(in, i, depth)
	case c == '[':
		return skipArray(in, i, depth)
	case c == 't':
		return skipWord(in, i, "true")
	case c == 'f':
		return skipWord(in, i, "false")
	case c == 'n':
		return skipWord(in, i, "null")
	}
	return skipNumber(in, i)
}

func skipWord(in []byte, i int, word string) int {
	if bytes.HasPrefix(in[i:], []byte(word)) {
		return i + len(word)
	}
	return -1
}

func skipString(in []byte, i int) int {
	if i >= len(in) || in[i] != '"' {
		return -1
	}
	for i++; i < len(in); i++ {
		switch c := in[i]; {
		case c == '"':
			return i + 1
		case c < ' ':
			return -1
		case c == '\\':
			if i = skipEscape(in, i+1); i < 0 {
				return -1
			}
		}
	}
	return -1
}

// skipEscape returns the index of the last byte of the escape.
func skipEscape(in []byte, i int) int {
	if i >= len(in) {
		return -1
	}
	switch in[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i
	case 'u':
		if i+4 >= len(in) {
			return -1
		}
		for _, c := range in[i+1 : i+5] {
			if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F') {
				return -1
			}
		}
		return i + 4
	}
	return -1
}

func skipObject(in []byte, i, depth int) int {
	if i = space(in, i+1); i < len(in) && in[i] == '}' {
		return i + 1
	}
	for {
		if i = skipString(in, i); i < 0 {
			return -1
		}
		if i = space(in, i); i >= len(in) || in[i] != ':' {
			return -1
		}
		if i = skipValue(in, space(in, i+1), depth+1); i < 0 {
			return -1
		}
		if i = space(in, i); i >= len(in) {
			return -1
		}
		if in[i] == '}' {
			return i + 1
		}
		if in[i] != ',' {
			return -1
		}
		i = space(in, i+1)
	}
}

func skipArray(in []byte, i, depth int) int {
	if i = space(in, i+1); i < len(in) && in[i] == ']' {
		return i + 1
	}
	for {
		if i = skipValue(in, i, depth+1); i < 0 {
			return -1
		}
		if i = space(in, i); i >= len(in) {
			return -1
		}
		if in[i] == ']' {
			return i + 1
		}
		if in[i] != ',' {
			return -1
		}
		i = space(in, i+1)
	}
}

func skipNumber(in []byte, i int) int {
	if i < len(in) && in[i] == '-' {
		i++
	}
	switch {
	case i >= len(in):
		return -1
	case in[i] == '0':
		i++
	case in[i] >= '1' && in[i] <= '9':
		i = digits(in, i)
	default:
		return -1
	}
	if i < len(in) && in[i] == '.' {
		from := i + 1
		if i = digits(in, from); i == from {
			return -1
		}
	}
	if i < len(in) && (in[i] == 'e' || in[i] == 'E') {
		i++
		if i < len(in) && (in[i] == '+' || in[i] == '-') {
			i++
		}
		from := i
		if i = digits(in, from); i == from {
			return -1
		}
	}
	return i
}

func digits(in []byte, i int) int {
	for i < len(in) && in[i] >= '0' && in[i] <= '9' {
		i++
	}
	return i
}

package resp

import "strconv"

// AppendCommand appends a command as an array of bulk strings.
func AppendCommand[S ~[]byte | ~string](b []byte, args ...S) []byte {
	b = AppendHeader(b, '*', len(args))
	for _, arg := range args {
		b = AppendBulk(b, arg)
	}
	return b
}

// AppendHeader appends the type and the length of an aggregate.
func AppendHeader(b []byte, kind byte, n int) []byte {
	b = append(b, kind)
	b = strconv.AppendInt(b, int64(n), 10)
	return append(b, '\r', '\n')
}

// AppendBulk appends a bulk string.
func AppendBulk[S ~[]byte | ~string](b []byte, text S) []byte {
	b = AppendHeader(b, '$', len(text))
	b = append(b, text...)
	return append(b, '\r', '\n')
}

// AppendInt appends an integer.
func AppendInt(b []byte, n int64) []byte {
	b = append(b, ':')
	b = strconv.AppendInt(b, n, 10)
	return append(b, '\r', '\n')
}

// AppendStatus appends a simple string, which must have no line end.
func AppendStatus(b []byte, text string) []byte {
	b = append(append(b, '+'), text...)
	return append(b, '\r', '\n')
}

// AppendError appends an error. Line ends in it become spaces.
func AppendError(b []byte, text string) []byte {
	b = append(b, '-')
	for i := range len(text) {
		if c := text[i]; c == '\r' || c == '\n' {
			b = append(b, ' ')
		} else {
			b = append(b, c)
		}
	}
	return append(b, '\r', '\n')
}

// AppendNull appends the null of a protocol version.
func AppendNull(b []byte, version int) []byte {
	if version == 3 {
		return append(b, "_\r\n"...)
	}
	return append(b, "$-1\r\n"...)
}

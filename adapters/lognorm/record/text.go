package record

import (
	"time"
	"unicode/utf8"
)

const hex = "0123456789abcdef"

// plain tells which bytes stand for themselves in a string of JSON.
var plain = func() (t [256]bool) {
	for c := 0x20; c < utf8.RuneSelf; c++ {
		t[c] = c != '"' && c != '\\' && c != 0x7f
	}
	return t
}()

// AppendString appends a string of JSON. Bytes that are no UTF-8 become U+FFFD,
// so the result is always valid.
func AppendString(out, s []byte) []byte {
	out = append(out, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if plain[c] {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRune(s[i:])
			if r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
			out = append(append(out, s[from:i]...), "\ufffd"...)
			i++
			from = i
			continue
		}
		out = append(out, s[from:i]...)
		out = escape(out, c)
		i++
		from = i
	}
	return append(append(out, s[from:]...), '"')
}

func escape(out []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(out, '\\', c)
	case '\n':
		return append(out, '\\', 'n')
	case '\t':
		return append(out, '\\', 't')
	case '\r':
		return append(out, '\\', 'r')
	}
	return append(out, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}

// clock writes times as RFC 3339 in UTC and remembers the last second: lines of
// a log come many to the second.
type clock struct {
	second int64
	text   []byte
}

const nanos = int64(time.Second)

func (c *clock) append(out []byte, ns int64) []byte {
	second, rest := ns/nanos, ns%nanos
	if rest < 0 {
		second, rest = second-1, rest+nanos
	}
	if c.text == nil || second != c.second {
		c.second = second
		c.text = time.Unix(second, 0).UTC().AppendFormat(c.text[:0], "2006-01-02T15:04:05")
	}
	out = append(out, c.text...)
	if rest != 0 {
		out = append(out, '.')
		digits := 9
		for ; rest%10 == 0; digits-- {
			rest /= 10
		}
		at := len(out)
		out = append(out, "000000000"[:digits]...)
		for i := at + digits - 1; rest > 0; i-- {
			out[i] = byte('0' + rest%10)
			rest /= 10
		}
	}
	return append(out, 'Z')
}

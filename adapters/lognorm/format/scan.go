package format

import "bytes"

// cursor reads a line from left to right.
type cursor struct {
	s []byte
	i int
}

func (c *cursor) rest() []byte { return c.s[c.i:] }

func (c *cursor) peek() byte {
	if c.i < len(c.s) {
		return c.s[c.i]
	}
	return 0
}

// take passes one byte, if it is b.
func (c *cursor) take(b byte) bool {
	if c.i < len(c.s) && c.s[c.i] == b {
		c.i++
		return true
	}
	return false
}

// text passes a text, if it is next.
func (c *cursor) text(t string) bool {
	if len(c.s)-c.i >= len(t) && string(c.s[c.i:c.i+len(t)]) == t {
		c.i += len(t)
		return true
	}
	return false
}

// spaces passes blanks and tells whether there were any.
func (c *cursor) spaces() bool {
	from := c.i
	for c.i < len(c.s) && (c.s[c.i] == ' ' || c.s[c.i] == '\t') {
		c.i++
	}
	return c.i > from
}

// word passes what is before the next blank.
func (c *cursor) word() []byte {
	from := c.i
	for c.i < len(c.s) && c.s[c.i] != ' ' && c.s[c.i] != '\t' {
		c.i++
	}
	return c.s[from:c.i]
}

// until passes what is before the next b, and b.
func (c *cursor) until(b byte) ([]byte, bool) {
	n := bytes.IndexByte(c.s[c.i:], b)
	if n < 0 {
		return nil, false
	}
	part := c.s[c.i : c.i+n]
	c.i += n + 1
	return part, true
}

// fixed passes a number of exactly n digits.
func (c *cursor) fixed(n int, to *int) bool {
	if len(c.s)-c.i < n {
		return false
	}
	v := 0
	for _, d := range c.s[c.i : c.i+n] {
		if d < '0' || d > '9' {
			return false
		}
		v = v*10 + int(d-'0')
	}
	*to = v
	c.i += n
	return true
}

// digits passes a number of 1 to most digits.
func (c *cursor) digits(most int) (int64, bool) {
	from := c.i
	var v int64
	for c.i < len(c.s) && c.i-from < most && isDigit(c.s[c.i]) {
		v = v*10 + int64(c.s[c.i]-'0')
		c.i++
	}
	return v, c.i > from
}

// fraction passes up to nine digits of a fraction of a second, and drops more.
func (c *cursor) fraction() (nanos int, ok bool) {
	from := c.i
	scale := 100_000_000
	for c.i < len(c.s) && isDigit(c.s[c.i]) {
		nanos += int(c.s[c.i]-'0') * scale
		scale /= 10
		c.i++
	}
	return nanos, c.i > from
}

func isDigit(b byte) bool { return b >= '0' && b <= '9' }

func isLetter(b byte) bool { return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' }

// integer reads a whole text as a number.
func integer(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) > 18 {
		return 0, false
	}
	var v int64
	for _, d := range b {
		if !isDigit(d) {
			return 0, false
		}
		v = v*10 + int64(d-'0')
	}
	return v, true
}

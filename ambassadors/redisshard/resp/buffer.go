package resp

import (
	"bytes"
	"io"
	"slices"
)

// buffer holds the bytes that were read and not used yet. A message begins at
// start, and was looked through up to at.
type buffer struct {
	b         []byte
	start, at int
	size      int // to which it shrinks when it is empty
	need      int // bytes that are known to be still to come
}

// maxLine is how long a header or a line of words may be.
const maxLine = 64 << 10

// fill reads once.
func (u *buffer) fill(in io.Reader) (int, error) {
	u.room()
	n, err := in.Read(u.b[len(u.b):cap(u.b)])
	u.b = u.b[:len(u.b)+n]
	return n, err
}

// room makes place for reading: at the front, where used bytes are, or by
// growing.
func (u *buffer) room() {
	if u.start == len(u.b) {
		if cap(u.b) > u.size || u.b == nil {
			u.b = make([]byte, 0, u.size)
		}
		u.at -= u.start
		u.b, u.start = u.b[:0], 0
		return
	}
	if len(u.b) < cap(u.b) {
		return
	}
	if u.start > cap(u.b)/2 {
		n := copy(u.b, u.b[u.start:])
		u.b, u.at, u.start = u.b[:n], u.at-u.start, 0
		return
	}
	u.b = slices.Grow(u.b, max(cap(u.b), u.size, min(u.need, maxGrowth)))
}

// maxGrowth bounds how much is believed of a length before its bytes come.
const maxGrowth = 1 << 20

// line returns the line at u.at without its end, and moves past it. It is nil
// while the end has not come.
func (u *buffer) line() ([]byte, error) {
	rest := u.b[u.at:]
	end := bytes.IndexByte(rest, '\n')
	switch {
	case end > maxLine || end < 0 && len(rest) > maxLine:
		return nil, malformed("too big a line")
	case end < 0:
		return nil, nil
	case end == 0 || rest[end-1] != '\r':
		return nil, malformed("expected a line end")
	}
	u.at += end + 1
	return rest[:end-1], nil
}

// skip moves past the *left bytes of a string and its line end, as far as they
// have come, and tells whether all have.
func (u *buffer) skip(left *int) (bool, error) {
	come := min(len(u.b)-u.at, *left)
	u.at += come
	*left -= come
	u.need = *left + 2
	if len(u.b)-u.at < 2 || *left > 0 {
		return false, nil
	}
	if u.b[u.at] != '\r' || u.b[u.at+1] != '\n' {
		return false, malformed("expected a line end")
	}
	u.at += 2
	u.need = 0
	return true, nil
}

// integer reads a decimal number of at most 10 digits.
func integer(text []byte) (int, bool) {
	negative := len(text) > 0 && text[0] == '-'
	if negative {
		text = text[1:]
	}
	if len(text) == 0 || len(text) > 10 {
		return 0, false
	}
	n := 0
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	if negative {
		n = -n
	}
	return n, true
}

package wire

import (
	"bytes"
	"io"
	"slices"
)

// buffer holds the bytes that were read and not used yet: a message begins at
// start.
type buffer struct {
	b     []byte
	start int
	size  int // to which it shrinks when it is empty
	need  int // bytes from start on without which there is nothing to look at
}

// maxGrowth bounds how much is believed of a length before its bytes come.
const maxGrowth = 64 << 10

// fill reads once. It is called when the message at start is not complete.
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
		u.b, u.start = u.b[:0], 0
		return
	}
	if u.start > cap(u.b)/2 || u.start > 0 && len(u.b) == cap(u.b) {
		n := copy(u.b, u.b[u.start:])
		u.b, u.start = u.b[:n], 0
	}
	if len(u.b) == cap(u.b) {
		missing := u.need - len(u.b)
		u.b = slices.Grow(u.b, max(cap(u.b), u.size, min(missing, maxGrowth)))
	}
}

// lacks tells whether less than n bytes have come, and remembers that so many
// are needed.
func (u *buffer) lacks(n int) bool {
	u.need = n
	return len(u.b)-u.start < n
}

// end returns how long the line is that begins at an offset from start, with its
// end, or 0 when that has not come.
func (u *buffer) end(from int) int { return bytes.IndexByte(u.b[u.start+from:], '\n') + 1 }

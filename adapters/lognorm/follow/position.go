package follow

import (
	"bytes"
	"hash/fnv"
	"io"
)

// Identity tells files apart while they exist.
type Identity struct {
	Device uint64 `json:"device"`
	Inode  uint64 `json:"inode"`
}

// Position is a place in a file that can be recognised: how many bytes are
// before it, and a digest of the last of them.
type Position struct {
	Offset int64  `json:"offset"`
	Before int    `json:"before,omitempty"` // bytes in the digest
	Digest uint64 `json:"digest,omitempty"`
}

// witness is how many bytes before a place are remembered.
const witness = 256

func digest(b []byte) uint64 {
	h := fnv.New64a()
	h.Write(b)
	return h.Sum64()
}

// trail is the last bytes before a place.
type trail []byte

// pass appends what was read.
func (t trail) pass(b []byte) trail {
	if len(b) >= witness {
		return append(t[:0], b[len(b)-witness:]...)
	}
	if drop := len(t) + len(b) - witness; drop > 0 {
		t = t[:copy(t, t[drop:])]
	}
	return append(t, b...)
}

// at is the position whose last bytes the trail is.
func (t trail) at(offset int64) Position {
	if len(t) == 0 {
		return Position{Offset: offset}
	}
	return Position{Offset: offset, Before: len(t), Digest: digest(t)}
}

// recognise reads the bytes before a position and tells whether they are those.
func recognise(r io.ReaderAt, p Position) (trail, bool) {
	if p.Before == 0 {
		return nil, p.Offset == 0
	}
	b := make([]byte, p.Before)
	if _, err := r.ReadAt(b, p.Offset-int64(p.Before)); err != nil || digest(b) != p.Digest {
		return nil, false
	}
	return b, true
}

// same tells whether the bytes that were read again are those of the trail.
func (t trail) same(b []byte) bool { return bytes.Equal(t, b) }

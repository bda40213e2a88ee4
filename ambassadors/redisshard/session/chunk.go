package session

import "sync"

// chunk is a piece of memory for replies. Clients that wait for nothing hold
// none.
type chunk struct{ b []byte }

var chunks = sync.Pool{New: func() any { return &chunk{make([]byte, 0, 4<<10)} }}

// maxChunk is how large a chunk may be to be used again.
const maxChunk = 64 << 10

func newChunk(reply []byte) *chunk {
	c := chunks.Get().(*chunk)
	c.b = append(c.b[:0], reply...)
	return c
}

func (c *chunk) free() {
	if cap(c.b) <= maxChunk {
		chunks.Put(c)
	}
}

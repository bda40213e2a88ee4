package memcached

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"
)

// tape is a connection whose other end has said everything already, to be read in
// pieces of a size.
type tape struct {
	in    io.Reader
	piece int
	out   bytes.Buffer
}

func (c *tape) Read(p []byte) (int, error)  { return c.in.Read(p[:min(len(p), c.piece)]) }
func (c *tape) Write(p []byte) (int, error) { return c.out.Write(p) }

// played is what a fresh store answers to the input.
func played(input []byte, piece int) (string, *store) {
	epoch := time.Unix(1_000_000_000, 0)
	s := newStore(1<<20, 1<<10, func() time.Time { return epoch })
	conn := &tape{in: bytes.NewReader(input), piece: piece}
	_ = newSession(s, conn).run()
	return conn.out.String(), s
}

// FuzzSession holds that no input breaks the server, that the answers do not
// depend on how the bytes are cut into reads, and that the store's books balance.
func FuzzSession(f *testing.F) {
	for _, conversation := range conversations {
		var all strings.Builder
		for _, e := range conversation {
			if len(e.say) < 1<<10 {
				all.WriteString(e.say + "\r\n")
			}
		}
		f.Add([]byte(all.String()))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		whole, s := played(input, 1<<20)
		if pieces, _ := played(input, 3); pieces != whole && !strings.Contains(whole, "STAT ") {
			t.Fatalf("whole: %q; in pieces: %q", whole, pieces)
		}
		var bytes int64
		n := 0
		for it := s.newest; it != nil; it = it.older {
			bytes += it.footprint()
			n++
			if s.items[it.key] != it || len(it.key) > maxKey {
				t.Fatalf("%q is in the list only", it.key)
			}
		}
		if bytes != s.bytes || n != len(s.items) || bytes > s.limit {
			t.Fatalf("%d bytes of %d items, counted as %d of %d", bytes, n, s.bytes, len(s.items))
		}
	})
}

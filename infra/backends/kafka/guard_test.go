package kafka

import (
	"encoding/binary"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const testLimit = 1 << 10

// verdict judges a stream with all of it at hand: how many bytes are well formed.
func verdict(stream []byte) int {
	for at := 0; ; {
		rest := stream[at:]
		if len(rest) < lengthSize {
			return len(stream)
		}
		length := int(int32(binary.BigEndian.Uint32(rest)))
		if length < headSize || length > testLimit {
			return at + lengthSize - 1
		}
		if len(rest) < lengthSize+kindSize {
			return len(stream)
		}
		if kmsg.RequestForKey(int16(binary.BigEndian.Uint16(rest[lengthSize:]))) == nil {
			return at + lengthSize + kindSize - 1
		}
		if at += lengthSize + length; at >= len(stream) {
			return len(stream)
		}
	}
}

// The guard's verdict does not depend on how the bytes are cut, and nothing that it lets
// through is larger than the limit or of a kind that nobody knows.
func FuzzFraming(f *testing.F) {
	f.Add(append(framed(18, "\x00\x00\x00\x00\x00\x01\xff\xff"), framed(3, "\x00\x07\x00\x00\x00\x02\xff\xff")...), uint8(1))
	f.Add(framed(999, "\x00\x00\x00\x00\x00\x01\xff\xff"), uint8(3))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"), uint8(5))
	f.Add([]byte{0, 0, 0, 9, 0, 18, 0, 0, 0, 0, 0, 1, 0}, uint8(4))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0, 18}, uint8(2))
	f.Fuzz(func(t *testing.T, stream []byte, cut uint8) {
		want, got := verdict(stream), 0
		frames := framing{limit: testLimit}
		for step := int(cut) + 1; got < len(stream); {
			part := stream[got:min(got+step, len(stream))]
			good := frames.check(part)
			got += good
			if good < len(part) {
				break
			}
		}
		if got != want {
			t.Errorf("%d bytes of %x pass, want %d", got, stream, want)
		}
	})
}

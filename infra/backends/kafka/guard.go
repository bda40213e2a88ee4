package kafka

import (
	"encoding/binary"
	"errors"
	"net"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// guard is a connection that lets only requests of known kinds and bounded size through to
// kfake, which makes room for every length that it reads, and ends the process for everybody
// when it does not know a kind.
type guard struct {
	net.Conn
	framing framing
	refused prometheus.Counter
	once    sync.Once
	closed  chan struct{} // closed by the first Close
}

var errProtocol = errors.New("protocol error")

// Read passes on what is well formed. At the first flaw the connection ends; the protocol has
// no way to say why.
func (g *guard) Read(p []byte) (int, error) {
	n, err := g.Conn.Read(p)
	if good := g.framing.check(p[:n]); good < n {
		g.refused.Inc()
		return good, errProtocol
	}
	return n, err
}

// Close tells that kfake is done with the connection.
func (g *guard) Close() error {
	g.once.Do(func() { close(g.closed) })
	return g.Conn.Close()
}

// A request is its length (4 bytes), and then its kind, its version (2 bytes each), a number
// that the answer repeats (4 bytes), and the rest.
const (
	lengthSize = 4
	kindSize   = 2
	headSize   = 10 // the least that is a request, without its length: an empty name of the client has 2
)

// framing follows a stream of requests.
type framing struct {
	limit int64
	head  [lengthSize + kindSize]byte
	have  int   // bytes of head
	rest  int64 // bytes of the request still to come after the head
}

// check returns how many bytes are well formed. The bytes of a head are passed on as they
// come, and the last of it only when it is good: without it kfake does not begin to look.
func (f *framing) check(p []byte) (good int) {
	for i := 0; i < len(p); {
		if f.rest > 0 {
			skip := min(f.rest, int64(len(p)-i))
			f.rest -= skip
			i += int(skip)
			continue
		}
		f.head[f.have] = p[i]
		f.have++
		if !f.sound() {
			return i
		}
		i++
	}
	return len(p)
}

// sound judges the head as far as it is there, and begins the rest when it is complete.
func (f *framing) sound() bool {
	length := int64(int32(binary.BigEndian.Uint32(f.head[:lengthSize])))
	switch f.have {
	case lengthSize:
		return length >= headSize && length <= f.limit
	case len(f.head):
		f.have, f.rest = 0, length-kindSize
		return kmsg.RequestForKey(int16(binary.BigEndian.Uint16(f.head[lengthSize:]))) != nil
	}
	return true
}

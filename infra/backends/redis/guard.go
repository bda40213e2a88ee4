package redis

import (
	"errors"
	"net"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// guard is a connection that lets only well-formed commands of bounded size
// through to miniredis, whose parser believes every length that it reads: an
// empty array or a length of many digits would end the process for everybody.
type guard struct {
	net.Conn
	limit   int // bytes of one command
	refused prometheus.Counter
	framing framing
	once    sync.Once
	closed  chan struct{} // closed by the first Close
}

var errProtocol = errors.New("protocol error")

// Read passes on what is well formed. At the first flaw the client is told, and
// the connection ends.
func (g *guard) Read(p []byte) (int, error) {
	n, err := g.Conn.Read(p)
	good, flaw := g.framing.check(p[:n], g.limit)
	if flaw != "" {
		g.refused.Inc()
		_ = g.Conn.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		_, _ = g.Conn.Write([]byte("-ERR Protocol error: " + flaw + "\r\n"))
		return good, errProtocol
	}
	return n, err
}

// Close tells that miniredis is done with the connection.
func (g *guard) Close() error {
	g.once.Do(func() { close(g.closed) })
	return g.Conn.Close()
}

// maxArguments is Redis's own bound on the length of a command's array.
const maxArguments = 1 << 20

// framing follows a stream of RESP arrays of bulk strings, byte by byte in the
// headers and by whole blocks in the strings.
//
//	*2\r\n  $3\r\nGET\r\n  $1\r\nk\r\n
type framing struct {
	arguments int  // still to come in this command
	body      int  // bytes of the string, with its line end, still to come
	size      int  // of this command so far
	header    byte // '*' or '$' while in a header, else 0
	digits    int  // in this header so far
	value     int  // of the digits
	cr        bool // the header's carriage return was seen
}

// check returns how many bytes are well formed, and the flaw after them.
func (f *framing) check(p []byte, limit int) (good int, flaw string) {
	for i := 0; i < len(p); {
		if f.body > 0 {
			skip := min(f.body, len(p)-i)
			f.body -= skip
			i += skip
			continue
		}
		if flaw := f.next(p[i], limit); flaw != "" {
			return i, flaw
		}
		i++
	}
	return len(p), ""
}

// next takes one byte of a header.
func (f *framing) next(b byte, limit int) string {
	switch {
	case f.header == 0:
		return f.begin(b)
	case f.cr && b == '\n':
		return f.end(limit)
	case f.cr:
		return "expected a line end"
	case b == '\r' && f.digits > 0:
		f.cr = true
		return ""
	case b >= '0' && b <= '9' && f.digits < 9:
		f.digits++
		f.value = f.value*10 + int(b-'0')
		return ""
	case f.header == '*':
		return "invalid multibulk length"
	}
	return "invalid bulk length"
}

func (f *framing) begin(b byte) string {
	want := byte('$')
	if f.arguments == 0 {
		want = '*'
		f.size = 0
	}
	if b != want {
		return "expected '" + string(want) + "'"
	}
	f.header, f.digits, f.value, f.cr = b, 0, 0, false
	return ""
}

// end takes the length that a header announced.
func (f *framing) end(limit int) string {
	header := f.header
	f.header = 0
	if header == '*' {
		if f.value < 1 || f.value > maxArguments {
			return "invalid multibulk length"
		}
		f.arguments = f.value
		return ""
	}
	f.size += f.value
	if f.size > limit {
		return "command too large"
	}
	f.arguments--
	f.body = f.value + 2
	return ""
}

package front

import (
	"io"
	"net/http"
	"strconv"
	"sync"

	"github.com/flotilla-dev/flotilla/internal/h1"
)

// pieces are buffers of answers on their way.
var pieces = sync.Pool{New: func() any { return new([pieceSize]byte) }}

const (
	pieceSize = 32 << 10
	// chunkRoom is the size line of a chunk. Four digits are enough for a piece,
	// and leading zeros are as good as any (RFC 9112, 7.1).
	chunkRoom = len("0000\r\n")
	chunkEnd  = len("\r\n")
	lastChunk = len("0\r\n\r\n")
)

// An Answer is how the answer of the exchange is to be framed for the client.
type Answer struct {
	Length  int64 // of the body; below 0: known at its end
	Chunked bool  // its end is told by the last chunk, and else by that of the connection
}

// Framing decides about the answer of the exchange. Where the connection cannot
// live on after it, it says so in c.Request.Close.
func (c *Conn) Framing() Answer {
	a := Answer{Length: c.Exchange.Length()}
	a.Chunked = a.Length < 0 && c.Request.Minor == 1
	if !c.BodyIsOver() || a.Length < 0 && !a.Chunked {
		// The client sends on and may never end, or the end of the connection is the
		// end of the answer. That the body may end meanwhile comes too late: the head
		// of the answer has to say now what follows it.
		c.Request.Close = true
	}
	return a
}

// Relay sends the answer of the exchange to the client and returns how many
// bytes of its body. head appends what is the head of it, up to and including
// the empty line. What is here already goes out with the head by one write; the
// rest is passed on as it comes.
func (c *Conn) Relay(a Answer, head func(out []byte, a Answer) []byte) (sent int64, err error) {
	x := &c.Exchange
	buf, _ := pieces.Get().(*[pieceSize]byte)
	defer pieces.Put(buf)
	out, n := head(buf[:0], a), 0
	for {
		for !x.Done() && x.Ready() && len(out) < pieceSize-1024 {
			if out, n, err = c.piece(out, a.Chunked); err != nil {
				return sent, err
			}
			sent += int64(n)
		}
		if x.Done() && a.Chunked {
			out = appendLast(out, x.Trailers())
		}
		if err := c.Send(out); err != nil {
			return sent, err
		}
		if x.Done() {
			return sent, nil
		}
		if out, n, err = c.piece(buf[:0], a.Chunked); err != nil {
			return sent, err
		}
		sent += int64(n)
	}
}

// piece reads once and appends what came, in a chunk of its own if need be. out
// has room for at least a kilobyte.
func (c *Conn) piece(out []byte, chunked bool) ([]byte, int, error) {
	at, room := len(out), pieceSize
	if chunked {
		at += chunkRoom
		room -= chunkEnd + lastChunk
	}
	n, err := c.Exchange.Read(out[at:room])
	if err != nil && err != io.EOF {
		return out, 0, err
	}
	if n == 0 {
		return out, 0, nil
	}
	if chunked {
		line := out[at-chunkRoom : at]
		line[0], line[1], line[2], line[3] = hexDigits[n>>12&15], hexDigits[n>>8&15], hexDigits[n>>4&15], hexDigits[n&15]
		line[4], line[5] = '\r', '\n'
		return append(out[:at+n], '\r', '\n'), n, nil
	}
	return out[:at+n], n, nil
}

const hexDigits = "0123456789abcdef"

// appendLast ends a chunked answer.
func appendLast(out []byte, trailers []h1.Field) []byte {
	out = append(out, '0', '\r', '\n')
	for i := range trailers {
		out = AppendField(out, trailers[i].Name, trailers[i].Value)
	}
	return append(out, '\r', '\n')
}

// AppendFraming appends the fields that tell the client where the body of the
// answer ends.
func (c *Conn) AppendFraming(out []byte, a Answer) []byte {
	p := &c.Exchange.Response
	switch {
	case a.Chunked:
		out = append(out, "Transfer-Encoding: chunked\r\n"...)
	case a.Length > 0 || a.Length == 0 && p.Declared() >= 0:
		out = append(out, "Content-Length: "...)
		out = strconv.AppendInt(out, max(a.Length, p.Declared()), 10)
		out = append(out, '\r', '\n')
	case a.Length == 0 && p.Status != http.StatusNoContent && p.Status != http.StatusNotModified && !c.Exchange.ToHead:
		out = append(out, "Content-Length: 0\r\n"...)
	}
	return out
}

// AppendStatus appends a status line.
func AppendStatus(out []byte, status int, reason []byte) []byte {
	out = append(out, "HTTP/1.1 "...)
	out = strconv.AppendInt(out, int64(status), 10)
	out = append(out, ' ')
	if len(reason) > 0 {
		out = append(out, reason...)
	} else {
		out = append(out, http.StatusText(status)...)
	}
	return append(out, '\r', '\n')
}

// AppendField appends a line of a head.
func AppendField(b, name, value []byte) []byte {
	b = append(append(b, name...), ':', ' ')
	b = append(b, value...)
	return append(b, '\r', '\n')
}

// interim passes a 1xx answer on. HTTP/1.0 has none.
func (c *Conn) interim(p *h1.Response) error {
	if c.Request.Minor == 0 {
		return nil
	}
	out := AppendStatus(nil, p.Status, p.Reason)
	for i := range p.Fields {
		if field := &p.Fields[i]; p.Forward(field) && (!c.Outermost || field.Kind != h1.EdgeOnly) {
			out = AppendField(out, field.Name, field.Value)
		}
	}
	return c.Send(append(out, '\r', '\n'))
}

package edge

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

// relay sends the answer of the replica to the client. What is here already
// goes out with the head by one write; the rest is passed on as it comes.
func (c *conn) relay() error {
	x := &c.x
	length := x.Length()
	chunked := length < 0 && c.req.Minor == 1
	if !c.bodyIsOver() || length < 0 && !chunked {
		// The client sends on and may never end, or the end of the connection is the
		// end of the answer. That the body may end meanwhile comes too late: the head
		// of the answer has to say now what follows it.
		c.req.Close = true
	}
	buf, _ := pieces.Get().(*[pieceSize]byte)
	defer pieces.Put(buf)
	out := c.appendAnswerHead(buf[:0], length, chunked)
	for {
		var err error
		for !x.Done() && x.Ready() && len(out) < pieceSize-1024 {
			if out, err = c.piece(out, chunked); err != nil {
				return err
			}
		}
		if x.Done() && chunked {
			out = appendLast(out, x.Trailers())
		}
		if err := c.write(out); err != nil {
			return err
		}
		if x.Done() {
			return nil
		}
		if out, err = c.piece(buf[:0], chunked); err != nil {
			return err
		}
	}
}

// piece reads once and appends what came, in a chunk of its own if need be. out
// has room for at least a kilobyte.
func (c *conn) piece(out []byte, chunked bool) ([]byte, error) {
	at, room := len(out), pieceSize
	if chunked {
		at += chunkRoom
		room -= chunkEnd + lastChunk
	}
	n, err := c.x.Read(out[at:room])
	if err != nil && err != io.EOF {
		return out, err
	}
	c.entry.sent += int64(n)
	if n == 0 {
		return out, nil
	}
	if chunked {
		line := out[at-chunkRoom : at]
		line[0], line[1], line[2], line[3] = hexDigits[n>>12&15], hexDigits[n>>8&15], hexDigits[n>>4&15], hexDigits[n&15]
		line[4], line[5] = '\r', '\n'
		return append(out[:at+n], '\r', '\n'), nil
	}
	return out[:at+n], nil
}

// appendLast ends a chunked answer.
func appendLast(out []byte, trailers []h1.Field) []byte {
	out = append(out, '0', '\r', '\n')
	for i := range trailers {
		out = appendField(out, trailers[i].Name, trailers[i].Value)
	}
	return append(out, '\r', '\n')
}

// appendAnswerHead writes the head of the answer.
func (c *conn) appendAnswerHead(out []byte, length int64, chunked bool) []byte {
	p := &c.x.Response
	out = appendStatus(out, p.Status, p.Reason)
	dated := false
	for i := range p.Fields {
		field := &p.Fields[i]
		switch field.Kind {
		case h1.EdgeOnly:
			continue
		case h1.Date:
			dated = true
		}
		if p.Forward(field) {
			out = appendField(out, field.Name, field.Value)
		}
	}
	if !dated {
		out = c.appendDate(out, c.entry.at)
	}
	switch {
	case chunked:
		out = append(out, "Transfer-Encoding: chunked\r\n"...)
	case length > 0 || length == 0 && p.Declared() >= 0:
		out = append(out, "Content-Length: "...)
		out = strconv.AppendInt(out, max(length, p.Declared()), 10)
		out = append(out, '\r', '\n')
	case length == 0 && p.Status != http.StatusNoContent && p.Status != http.StatusNotModified && !c.x.ToHead:
		out = append(out, "Content-Length: 0\r\n"...)
	}
	out = append(out, c.always...)
	return append(c.appendConnection(out), '\r', '\n')
}

// appendConnection tells whether the connection ends after this answer.
func (c *conn) appendConnection(out []byte) []byte {
	if !c.persists() {
		c.req.Close = true // said is said, even if persists were to change its mind
		return append(out, "Connection: close\r\n"...)
	}
	return out
}

func appendStatus(out []byte, status int, reason []byte) []byte {
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

// interim passes a 1xx answer on. HTTP/1.0 has none.
func (c *conn) interim(p *h1.Response) error {
	if c.req.Minor == 0 {
		return nil
	}
	out := appendStatus(nil, p.Status, p.Reason)
	for i := range p.Fields {
		if field := &p.Fields[i]; field.Kind != h1.EdgeOnly && p.Forward(field) {
			out = appendField(out, field.Name, field.Value)
		}
	}
	return c.write(append(out, '\r', '\n'))
}

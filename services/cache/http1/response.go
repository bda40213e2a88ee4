package http1

import (
	"errors"
	"net"
	"strconv"
)

// response is the state of the answer on a connection.
type response struct {
	complete bool
	closing  bool // Connection: close was sent or is meant
	chunked  bool
	bodyless bool  // HEAD, 204, 304
	left     int64 // of a declared length
	err      error
	sent     int64 // bytes of body written

	buf []byte      // head under construction
	iov net.Buffers // for writev
	vec [3][]byte
}

// Unknown is the length of a body that is known only at its end.
const Unknown = -1

var errOverrun = errors.New("body longer than declared")

// Begin starts the head of the final response in the connection's buffer. Append header lines to what it
// returns with [AppendField] and hand that to Send or Stream.
func (c *Conn) Begin(status int) []byte {
	b := append(c.response.buf[:0], "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(b, ' ')
	b = append(b, Reason(status)...)
	c.response.bodyless = c.Request.Method == "HEAD" || status == 204 || status == 304
	return append(b, '\r', '\n')
}

// AppendField appends a header line. The caller vouches for name and value.
func AppendField(b []byte, name, value string) []byte {
	b = append(b, name...)
	b = append(b, ':', ' ')
	b = append(b, value...)
	return append(b, '\r', '\n')
}

// frame appends the fields about this connection and the end of the head.
func (c *Conn) frame(b []byte, status int, length int64) []byte {
	r := &c.response
	r.left = length
	switch {
	case status == 204:
	case length >= 0:
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, length, 10)
		b = append(b, '\r', '\n')
	case r.bodyless:
	case c.head.Minor == 1:
		r.chunked = true
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	default:
		r.closing = true
	}
	if !c.head.Persists() || c.server.draining.Load() {
		r.closing = true
	}
	if c.body != nil && c.body.final() {
		r.closing = true
	}
	if r.closing {
		b = append(b, "Connection: close\r\n"...)
	}
	return append(b, '\r', '\n')
}

// Send writes a whole response: head as begun, and the body in the same system call. For a response
// without a body length is what Content-Length should say, or Unknown.
func (c *Conn) Send(status int, head, body []byte) error {
	return c.SendLength(status, head, body, int64(len(body)))
}

// SendLength is Send with another Content-Length than the body's: for answers to HEAD, and 304.
func (c *Conn) SendLength(status int, head, body []byte, length int64) error {
	r := &c.response
	head = c.frame(head, status, length)
	r.buf = head
	r.complete = true
	if r.bodyless {
		body = nil
	}
	first := body[:min(len(body), maxWrite)]
	n, err := c.write(head, first)
	r.sent = max(0, n-int64(len(head)))
	for rest := body[len(first):]; len(rest) > 0 && err == nil; {
		piece := rest[:min(len(rest), maxWrite)]
		rest = rest[len(piece):]
		n, err = c.write(piece)
		r.sent += n
	}
	return err
}

// maxWrite bounds one write, so that the time limit is one for progress and not for a whole large body.
const maxWrite = 256 << 10

// Stream writes the head; the body follows by Write and Finish. A length of Unknown becomes chunked, or
// for HTTP/1.0 ends with the connection.
func (c *Conn) Stream(status int, head []byte, length int64) error {
	r := &c.response
	head = c.frame(head, status, length)
	r.buf = head
	_, err := c.write(head)
	return err
}

// Bodyless reports that the response that was begun carries no body.
func (c *Conn) Bodyless() bool { return c.response.bodyless }

// Write sends a part of the body at once.
func (c *Conn) Write(p []byte) (int, error) {
	r := &c.response
	if len(p) == 0 || r.bodyless || r.err != nil {
		return len(p), r.err
	}
	if !r.chunked && r.left >= 0 {
		if int64(len(p)) > r.left {
			r.err = errOverrun
			return 0, r.err
		}
		r.left -= int64(len(p))
	}
	done := 0
	for done < len(p) {
		n, err := c.piece(p[done:min(len(p), done+maxWrite)])
		r.sent += n
		if done += int(n); err != nil {
			return done, err
		}
	}
	return done, nil
}

// piece writes some of the body in its framing and returns how much of it went out.
func (c *Conn) piece(p []byte) (int64, error) {
	r := &c.response
	if !r.chunked {
		return c.write(p)
	}
	head := strconv.AppendInt(r.buf[:0], int64(len(p)), 16)
	head = append(head, '\r', '\n')
	r.buf = head
	n, err := c.write(head, p, crlf)
	return min(max(0, n-int64(len(head))), int64(len(p))), err
}

var crlf = []byte("\r\n")

// Finish ends a streamed body. A body that is broken off, by err or by missing bytes, makes the transfer
// visibly incomplete: no last chunk, or fewer bytes than declared, and the connection closes.
func (c *Conn) Finish(err error) error {
	r := &c.response
	switch {
	case r.err != nil:
		return r.err
	case err != nil:
		r.err = err
		return err
	case !r.bodyless && !r.chunked && r.left > 0:
		r.err = errIncomplete
		return r.err
	}
	r.complete = true
	if r.bodyless || !r.chunked {
		return nil
	}
	r.buf = append(r.buf[:0], "0\r\n\r\n"...)
	_, err = c.write(r.buf)
	return err
}

// Sent is the number of body bytes written.
func (c *Conn) Sent() int64 { return c.response.sent }

// CloseAfter makes the connection close after this response.
func (c *Conn) CloseAfter() { c.response.closing = true }

// write sends the pieces, in one system call where the connection allows it.
func (c *Conn) write(pieces ...[]byte) (n int64, err error) {
	r := &c.response
	defer func() { r.err = err }()
	if err := c.writeBy(c.server.Stall); err != nil {
		return 0, err
	}
	if len(pieces) == 1 || len(pieces) == 2 && len(pieces[1]) == 0 {
		m, err := c.raw.Write(pieces[0])
		return int64(m), err
	}
	if _, ok := c.raw.(*net.TCPConn); !ok && len(pieces[1]) <= 16<<10 {
		// A TLS record costs more than the copy.
		r.buf = append(pieces[0], pieces[1]...)
		if len(pieces) == 3 {
			r.buf = append(r.buf, pieces[2]...)
		}
		m, err := c.raw.Write(r.buf)
		return int64(m), err
	}
	r.iov = r.vec[:copy(r.vec[:], pieces)]
	n, err = r.iov.WriteTo(c.raw)
	r.vec = [3][]byte{}
	return n, err
}

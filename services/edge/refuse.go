package edge

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/flotilla-dev/flotilla/internal/problem"
)

// refuse answers with a problem instead of an upstream's answer. bodyOver tells
// that the whole request was read, so that the connection can live on.
func (c *conn) refuse(r *route, p *problem.Problem, bodyOver bool) bool {
	if !bodyOver {
		c.linger, c.req.Close = true, true
	}
	c.entry.status = p.Status
	body, err := json.Marshal(p)
	if err != nil {
		body = nil
	}
	out := appendStatus(make([]byte, 0, 1024), p.Status, nil)
	out = append(out, "Content-Type: "+problem.ContentType+"\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"...)
	if after := p.RetryAfterSeconds(); after != "" {
		out = append(out, "Retry-After: "+after+"\r\n"...)
	}
	if p.Status == http.StatusMethodNotAllowed {
		out = append(out, "Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n"...)
	}
	return c.answer(r, out, body)
}

// answer ends a head that the edge itself gives, and sends it with the body.
func (c *conn) answer(r *route, out, body []byte) bool {
	out = c.appendDate(out, c.entry.at)
	if c.secure {
		out = append(out, c.always...)
	}
	out = append(out, "Content-Length: "...)
	out = strconv.AppendInt(out, int64(len(body)), 10)
	out = append(out, '\r', '\n')
	out = append(c.appendConnection(out), '\r', '\n')
	if string(c.req.Method) != http.MethodHead {
		out = append(out, body...)
		c.entry.sent = int64(len(body))
	}
	err := c.write(out)
	c.finish(r, &c.entry, c.span)
	return err == nil && c.persists()
}

// refuseError answers for an exchange that failed, if anybody is there to be
// answered.
func (c *conn) refuseError(r *route, err error) bool {
	c.entry.retries = c.x.Retries
	p := explain(err)
	if p == nil {
		c.gaveUp(r)
		return false
	}
	return c.refuse(r, p, c.bodyIsOver())
}

// lingerFor and lingerBytes bound how long a client that still sends is listened
// to after it was answered. Without this its data would meet a closed socket,
// and the reset that follows could destroy the answer on its way (RFC 9112, 9.6).
const (
	lingerFor   = 500 * time.Millisecond
	lingerBytes = 256 << 10
)

// hangUp closes the connection.
func (c *conn) hangUp() {
	if half, ok := c.net.(interface{ CloseWrite() error }); ok && c.linger && half.CloseWrite() == nil {
		_ = c.net.SetReadDeadline(time.Now().Add(lingerFor)) // fails only when there is nothing to wait for
		_, _ = io.CopyN(io.Discard, c.net, lingerBytes)
	}
	_ = c.net.Close() // nothing is left to be done about an error
}

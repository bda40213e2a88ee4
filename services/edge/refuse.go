package edge

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/flotilla-dev/flotilla/internal/front"
	"github.com/flotilla-dev/flotilla/internal/problem"
)

// refuse answers with a problem instead of an upstream's answer. bodyOver tells
// that the whole request was read, so that the connection can live on.
func (c *conn) refuse(r *route, p *problem.Problem, bodyOver bool) bool {
	if !bodyOver {
		c.Linger, c.Request.Close = true, true
	}
	c.entry.status = p.Status
	body, err := json.Marshal(p)
	if err != nil {
		body = nil
	}
	out := front.AppendStatus(make([]byte, 0, 1024), p.Status, nil)
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
	if string(c.Request.Method) != http.MethodHead {
		out = append(out, body...)
		c.entry.sent = int64(len(body))
	}
	err := c.Send(out)
	c.finish(r, &c.entry, c.span)
	return err == nil && c.persists()
}

// refuseError answers for an exchange that failed, if anybody is there to be
// answered.
func (c *conn) refuseError(r *route, err error) bool {
	c.entry.retries = c.Exchange.Retries
	p := explain(err)
	if p == nil {
		c.gaveUp(r)
		return false
	}
	return c.refuse(r, p, c.BodyIsOver())
}

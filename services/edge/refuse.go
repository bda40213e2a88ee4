package edge

import (
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
	out, body := front.Refusal(p)
	return c.answer(r, out, body)
}

// answer ends a head that the edge itself gives, and sends it with the body.
func (c *conn) answer(r *route, out, body []byte) bool {
	out = c.dates.Append(out, c.entry.at)
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

// theService is what clients call whom they ask.
const theService = "the service"

// refuseError answers for an exchange that failed, if anybody is there to be
// answered.
func (c *conn) refuseError(r *route, err error) bool {
	c.entry.retries = c.Exchange.Retries
	p := front.Explain(err, theService)
	if p == nil {
		c.gaveUp(r)
		return false
	}
	return c.refuse(r, p, c.BodyIsOver())
}

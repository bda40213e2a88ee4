package edge

import (
	"net/http"
	"strconv"

	"github.com/flotilla-dev/flotilla/internal/front"
	"github.com/flotilla-dev/flotilla/internal/problem"
	"github.com/flotilla-dev/flotilla/services/edge/routes"
)

// redirect answers a request over plain HTTP: the same URL, but https. The
// method is to be kept (308), and the answer is not to be remembered for long,
// because the port is a parameter.
func (c *conn) redirect() bool {
	c.Linger = false
	over := c.BodyIsOver()
	if wrong := unacceptable(string(c.Request.Method)); wrong != nil {
		return c.refuse(nil, wrong, over)
	}
	host, wrong := c.host(c.sites.current.Load(), string(c.Request.Host), "")
	if wrong != nil {
		return c.refuse(nil, wrong, over)
	}
	name, _ := routes.HostName(string(c.Request.Host))
	if host == nil || c.Request.Target[0] != '/' {
		return c.refuse(nil, problem.New(http.StatusBadRequest, "malformed-request", "there is nothing to redirect to"), over)
	}
	if !over {
		c.Linger, c.Request.Close = true, true
	}
	location := append([]byte("https://"), name...)
	if c.cfg.PublicPort != 443 {
		location = strconv.AppendInt(append(location, ':'), int64(c.cfg.PublicPort), 10)
	}
	location = append(location, c.Request.Target...)
	c.entry.status = http.StatusPermanentRedirect
	out := front.AppendStatus(nil, c.entry.status, nil)
	out = front.AppendField(out, []byte("Location"), location)
	out = append(out, "Cache-Control: max-age=300\r\n"...)
	return c.answer(nil, out, nil)
}

package edge

import (
	"net/http"
	"strconv"

	"github.com/flotilla-dev/flotilla/internal/problem"
	"github.com/flotilla-dev/flotilla/services/edge/routes"
)

// redirect answers a request over plain HTTP: the same URL, but https. The
// method is to be kept (308), and the answer is not to be remembered for long,
// because the port is a parameter.
func (c *conn) redirect() bool {
	c.linger = false
	over := c.bodyIsOver()
	if wrong := unacceptable(string(c.req.Method)); wrong != nil {
		return c.refuse(nil, wrong, over)
	}
	host, wrong := c.host(c.sites.current.Load(), string(c.req.Host), "")
	if wrong != nil {
		return c.refuse(nil, wrong, over)
	}
	name, _ := routes.HostName(string(c.req.Host))
	if host == nil || c.req.Target[0] != '/' {
		return c.refuse(nil, problem.New(http.StatusBadRequest, "malformed-request", "there is nothing to redirect to"), over)
	}
	if !over {
		c.linger, c.req.Close = true, true
	}
	location := append([]byte("https://"), name...)
	if c.cfg.PublicPort != 443 {
		location = strconv.AppendInt(append(location, ':'), int64(c.cfg.PublicPort), 10)
	}
	location = append(location, c.req.Target...)
	c.entry.status = http.StatusPermanentRedirect
	out := appendStatus(nil, c.entry.status, nil)
	out = appendField(out, []byte("Location"), location)
	out = append(out, "Cache-Control: max-age=300\r\n"...)
	return c.answer(nil, out, nil)
}

package edge

import (
	"errors"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/flotilla-dev/flotilla/internal/guard"
	"github.com/flotilla-dev/flotilla/internal/h1"
	"github.com/flotilla-dev/flotilla/internal/hop"
	"github.com/flotilla-dev/flotilla/internal/problem"
	"github.com/flotilla-dev/flotilla/services/edge/routes"
)

// A conn is a client's HTTP/1.1 connection. One goroutine serves it.
type conn struct {
	*edge
	net    net.Conn    // read and written: the TLS connection, or seated itself
	seated *seatedConn // the TCP connection
	secure bool
	peer   peer
	sni    string

	reader *h1.Reader
	req    h1.Request
	body   clientBody
	x      hop.Exchange
	entry  entry
	span   trace.Span

	readBy  time.Time // deadlines as set; zero: none
	writeBy time.Time
	linger  bool // the client may still be sending when the connection closes

	known knownHost // of the request before
}

// knownHost spares the look-up of a host that is asked for again.
type knownHost struct {
	site  *site
	field string
	host  *routes.Host
}

// serve reads requests until one of the sides has enough.
func (c *conn) serve() {
	c.reader = h1.NewReader(c.net, 0)
	c.x.Gone, c.x.Interim = c.gone, c.interim
	defer c.contain()
	for c.await() && c.serveOne() {
	}
	c.hangUp()
}

// contain keeps a mistake of ours to the one connection that met it.
func (c *conn) contain() {
	if mistake := recover(); mistake != nil {
		c.log.Error("request panicked", "panic", mistake, "stack", string(debug.Stack()))
		c.seated.Close()
	}
}

// await reads the head of the next request. It returns false when there is none
// or it is not one; then the client knows why.
func (c *conn) await() bool {
	if c.entry.status != 0 { // before the first request the connection is opening
		c.seated.seat.Enter(guard.Idle)
	}
	if c.reader.Wait(c.waitIdle) != nil {
		return false
	}
	if !c.reader.HasHead() {
		c.seated.seat.Enter(guard.Opening)
		c.setReadDeadline(time.Now().Add(c.cfg.HeaderTimeout))
	}
	err := c.reader.ReadRequest(&c.req, int(c.cfg.HeaderLimit))
	c.seated.seat.Enter(guard.Busy)
	if err == nil {
		return true
	}
	c.begin()
	var malformed *h1.Error
	switch {
	case errors.As(err, &malformed):
		c.refuse(nil, problem.New(malformed.Status, malformed.Name, malformed.Detail), false)
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.refuse(nil, problem.New(http.StatusRequestTimeout, "too-slow", "the head of the request did not arrive in time"), false)
	default:
		c.gaveUp(nil)
	}
	return false
}

// waitIdle prepares for the wait for a request that has not begun. A deadline
// that is nearly as far off as a new one will do.
func (c *conn) waitIdle() {
	now := time.Now()
	if idle := c.cfg.IdleTimeout; c.readBy.Before(now.Add(idle-idle/4)) || c.readBy.After(now.Add(idle)) {
		c.setReadDeadline(now.Add(idle))
	}
}

func (c *conn) setReadDeadline(t time.Time) {
	c.readBy = t
	_ = c.net.SetReadDeadline(t) // fails only on a closed connection, which the read tells
}

// begin starts the account of a request.
func (c *conn) begin() {
	c.span = nil
	c.body.ended.Store(false) // that was the body before
	c.entry = entry{
		at: time.Now(), protocol: http1, client: c.peer.text,
		method: c.req.Method, host: c.req.Host, target: c.req.Target,
	}
	for i := range c.req.Fields {
		if c.req.Fields[i].Kind == h1.UserAgent {
			c.entry.agent = c.req.Fields[i].Value
		}
	}
}

// serveOne answers the request that was read. It returns whether the connection
// can carry another one.
func (c *conn) serveOne() bool {
	c.begin()
	if !c.secure {
		return c.redirect()
	}
	r, wrong := c.route()
	if wrong != nil {
		return c.refuse(r, wrong, c.bodyIsOver())
	}
	if err := c.prepare(r); err != nil {
		return c.refuseError(r, err)
	}
	if err := r.upstream.Do(&c.x); err != nil {
		return c.refuseError(r, err)
	}
	c.entry.status, c.entry.retries, c.entry.waited = c.x.Response.Status, c.x.Retries, c.x.Waited
	c.entry.upstream = c.x.Endpoint()
	if c.x.Response.Status == http.StatusSwitchingProtocols {
		c.tunnel(r)
		return false
	}
	err := c.relay()
	c.x.Finish()
	c.linger = !c.bodyIsOver()
	if err != nil {
		c.gaveUp(r)
		return false
	}
	c.finish(r, &c.entry, c.span)
	return !c.linger && c.persists()
}

// route finds where the request goes.
func (c *conn) route() (*route, *problem.Problem) {
	s := c.sites.current.Load()
	if c.known.site != s || c.known.field != string(c.req.Host) {
		field := string(c.req.Host)
		host, wrong := c.host(s, field, c.sni)
		if wrong != nil {
			return nil, wrong
		}
		c.known = knownHost{s, field, host}
	}
	if wrong := unacceptable(string(c.req.Method)); wrong != nil {
		return nil, wrong
	}
	return s.find(c.known.host, string(c.req.Target))
}

// bodyIsOver tells whether the client's connection stands at the next request:
// this one has no body, or it was read to its end. Whether it was also sent
// upstream to its end is no concern of the client.
func (c *conn) bodyIsOver() bool { return !c.req.HasBody() || c.body.ended.Load() }

// persists tells whether both sides want the connection to live on.
func (c *conn) persists() bool { return c.req.Persists() && !c.closing.Load() }

// gaveUp ends the account of a request that cannot be answered any more.
func (c *conn) gaveUp(r *route) {
	if c.entry.status == 0 {
		c.entry.status = statusGone
	}
	c.finish(r, &c.entry, c.span)
}

// write sends bytes to the client, who has to take them in time.
func (c *conn) write(b []byte) error {
	now := time.Now()
	if limit := c.cfg.WriteTimeout; c.writeBy.Before(now.Add(limit / 2)) {
		c.writeBy = now.Add(limit)
		if err := c.net.SetWriteDeadline(c.writeBy); err != nil {
			return err
		}
	}
	_, err := c.net.Write(b)
	return err
}

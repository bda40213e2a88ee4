package edge

import (
	"net"
	"net/http"
	"runtime/debug"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/flotilla-dev/flotilla/internal/front"
	"github.com/flotilla-dev/flotilla/internal/guard"
	"github.com/flotilla-dev/flotilla/internal/h1"
	"github.com/flotilla-dev/flotilla/internal/problem"
	"github.com/flotilla-dev/flotilla/services/edge/routes"
)

// A conn is a client's HTTP/1.1 connection. One goroutine serves it.
type conn struct {
	*edge
	front.Conn
	seated *front.Seated // the TCP connection
	secure bool
	peer   peer
	sni    string

	entry entry
	span  trace.Span

	known knownHost // of the request before
}

// knownHost spares the look-up of a host that is asked for again.
type knownHost struct {
	site  *site
	field string
	host  *routes.Host
}

// newConn returns a connection of the edge: plain, or secure with the name that
// its handshake asked for.
func newConn(e *edge, seated *front.Seated, secure net.Conn, p peer, sni string) *conn {
	c := &conn{edge: e, seated: seated, secure: secure != nil, peer: p, sni: sni}
	c.Net, c.TCP, c.Limits, c.Outermost = seated, seated.Conn, &e.limits, true
	if secure != nil {
		c.Net = secure
	}
	c.Open()
	return c
}

// serve reads requests until one of the sides has enough.
func (c *conn) serve() {
	defer c.contain()
	for c.await() && c.serveOne() {
	}
	c.HangUp()
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
		c.seated.Enter(guard.Idle)
	}
	began, err := c.Await(c.opening)
	if !began {
		return false
	}
	c.seated.Enter(guard.Busy)
	if err == nil {
		return true
	}
	c.begin()
	if wrong := front.ExplainHead(err); wrong != nil {
		c.refuse(nil, wrong, false)
	} else {
		c.gaveUp(nil)
	}
	return false
}

// opening tells the guard that the head of a request does not come at once.
func (c *conn) opening() { c.seated.Enter(guard.Opening) }

// begin starts the account of a request.
func (c *conn) begin() {
	c.span = nil
	c.Begin()
	c.entry = entry{
		at: time.Now(), protocol: http1, client: c.peer.text,
		method: c.Request.Method, host: c.Request.Host, target: c.Request.Target,
	}
	for i := range c.Request.Fields {
		if c.Request.Fields[i].Kind == h1.UserAgent {
			c.entry.agent = c.Request.Fields[i].Value
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
		return c.refuse(r, wrong, c.BodyIsOver())
	}
	if err := c.prepare(r); err != nil {
		return c.refuseError(r, err)
	}
	if err := r.upstream.Do(&c.Exchange); err != nil {
		return c.refuseError(r, err)
	}
	c.entry.status, c.entry.retries, c.entry.waited = c.Exchange.Response.Status, c.Exchange.Retries, c.Exchange.Waited
	c.entry.upstream = c.Exchange.Endpoint()
	if c.Exchange.Response.Status == http.StatusSwitchingProtocols {
		c.tunnel(r)
		return false
	}
	err := c.relay()
	c.Exchange.Finish()
	c.Linger = !c.BodyIsOver()
	if err != nil {
		c.gaveUp(r)
		return false
	}
	c.finish(r, &c.entry, c.span)
	return !c.Linger && c.persists()
}

// route finds where the request goes.
func (c *conn) route() (*route, *problem.Problem) {
	s := c.sites.current.Load()
	if c.known.site != s || c.known.field != string(c.Request.Host) {
		field := string(c.Request.Host)
		host, wrong := c.host(s, field, c.sni)
		if wrong != nil {
			return nil, wrong
		}
		c.known = knownHost{s, field, host}
	}
	if wrong := unacceptable(string(c.Request.Method)); wrong != nil {
		return nil, wrong
	}
	return s.find(c.known.host, string(c.Request.Target), string(c.Request.Method))
}

// persists tells whether both sides want the connection to live on.
func (c *conn) persists() bool { return c.Request.Persists() && !c.closing.Load() }

// gaveUp ends the account of a request that cannot be answered any more.
func (c *conn) gaveUp(r *route) {
	if c.entry.status == 0 {
		c.entry.status = statusGone
	}
	c.finish(r, &c.entry, c.span)
}

package shardproxy

import (
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/flotilla-dev/flotilla/internal/front"
	"github.com/flotilla-dev/flotilla/internal/guard"
	"github.com/flotilla-dev/flotilla/internal/hop"
	"github.com/flotilla-dev/flotilla/internal/problem"
	"github.com/flotilla-dev/flotilla/services/shardproxy/layout"
)

// A conn is a client's connection. One goroutine serves it.
type conn struct {
	*proxy
	front.Conn
	seated  *front.Seated
	secure  bool
	peer    netip.Addr
	trusted bool   // a proxy whose X-Forwarded-* are believed
	text    string // of peer

	at       time.Time // when the request was read
	served   bool      // a request was read before
	key      []byte
	shard    *shard     // that the request was sent to, nil before
	span     trace.Span // nil: traces are not exported
	standsIn bool       // shard is not the one that the key belongs to
	inside   bool       // it counts among the shard's requests in flight

	session      []byte    // whose context is part of the key; empty: none
	refusedAt    time.Time // when a shard said last that it does not hold the session; zero: none did
	firstRefused time.Time
	pause        time.Duration // before the last question
	scrap        [256]byte     // of answers that are not passed on
}

func newConn(p *proxy, seated *front.Seated, secure net.Conn) *conn {
	c := &conn{proxy: p, seated: seated, secure: secure != nil, peer: seated.Addr, text: seated.Addr.String()}
	c.trusted = p.cfg.Trusted.Trusts(c.peer)
	c.Net, c.TCP, c.Limits = seated, seated.Conn, &p.limits
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
		if c.inside {
			c.leave()
		}
		c.log.Error("request panicked", "panic", mistake, "stack", string(debug.Stack()))
		c.seated.Close()
	}
}

// await reads the head of the next request. It returns false when there is none or it is
// not one; then the client knows why.
func (c *conn) await() bool {
	if c.served { // before the first request the connection is opening
		c.seated.Enter(guard.Idle)
	}
	began, err := c.Await(c.opening)
	if !began {
		return false
	}
	c.seated.Enter(guard.Busy)
	c.begin()
	if err == nil {
		return true
	}
	defer c.metrics.active.Dec()
	c.Request.Method = nil // what is there may be the request before
	if wrong := front.ExplainHead(err); wrong != nil {
		c.refuse(wrong, false)
	} else {
		c.finish(statusGone)
	}
	return false
}

// opening tells the guard that the head of a request does not come at once.
func (c *conn) opening() { c.seated.Enter(guard.Opening) }

// begin starts the account of a request.
func (c *conn) begin() {
	c.Begin()
	c.at, c.served, c.shard = time.Now(), true, nil
	c.span, c.standsIn, c.refusedAt, c.pause = nil, false, time.Time{}, 0
	c.metrics.active.Inc()
}

// serveOne answers the request that was read. It returns whether the connection can carry
// another one.
func (c *conn) serveOne() bool {
	defer c.metrics.active.Dec()
	switch method := string(c.Request.Method); method {
	case http.MethodConnect, http.MethodTrace:
		p := problem.New(http.StatusMethodNotAllowed, "method-not-allowed", "this server does not do "+method)
		p.Allow = front.PassedMethods
		return c.refuse(p, c.BodyIsOver())
	}
	c.prepare()
	err := c.Complete(int64(c.cfg.BodyLimit))
	if err == nil {
		err = c.exchange()
	}
	if err != nil {
		return c.refuseError(err)
	}
	defer c.leave()
	status := c.Exchange.Response.Status
	c.shard.load.series.Record(c.Exchange.Waited, status >= 500)
	if status == http.StatusSwitchingProtocols {
		c.tunnel()
		return false
	}
	_, err = c.Relay(c.Framing(), c.appendAnswerHead)
	c.Exchange.Finish()
	c.Linger = !c.BodyIsOver()
	if err != nil {
		c.finish(statusGone)
		return false
	}
	c.finish(status)
	return !c.Linger && c.persists()
}

// exchange sends the request to the shard of its key. After success the caller calls
// leave.
func (c *conn) exchange() error {
	c.standIn.Request()
	c.Exchange.Timeout = c.cfg.AnswerTimeout
	for {
		t := c.table.Load()
		h, err := c.place(t)
		if err != nil {
			return err
		}
		if c.refusedAt.IsZero() {
			c.recent.See(h)
		}
		switch err = c.send(t, h); {
		case err == nil && c.misdirected():
			if err := c.follow(); err != nil {
				return err
			}
		case err != hop.ErrUnavailable || c.table.Load() == t:
			return err
		}
		// A shard of that table has left since, or does not hold the session any more. Now it
		// may be another.
	}
}

// send asks the shards of a table, the one that the key belongs to first.
func (c *conn) send(t *table, h layout.Hash) error {
	var failed tried
	err := hop.ErrUnavailable
	for {
		at := c.choose(t, h, &failed)
		if at < 0 {
			return err
		}
		c.enter(t.shards[at])
		err = c.shard.Do(&c.Exchange)
		if err == nil {
			c.shard.reached()
			if c.standsIn = at != t.Owner(h); c.standsIn {
				c.shard.load.standIns.Add(1)
			}
			return nil
		}
		c.leave()
		if hop.Unsent(err) && err != hop.ErrUnavailable {
			c.shard.unreachable()
		}
		failed.add(at)
		if !c.goesOn(err, &failed) {
			return err
		}
	}
}

// goesOn tells whether another shard may be asked after err.
func (c *conn) goesOn(err error, failed *tried) bool {
	if c.cfg.Loss == Fail || failed.full() {
		return false
	}
	left := c.cfg.AnswerTimeout - time.Since(c.at)
	if left <= 0 {
		return false
	}
	c.Exchange.Timeout = left
	lost := c.shard.lost()
	switch {
	case hop.Unsent(err) && lost:
		return true // as if it had come later, when the other shard is the first to be asked
	case hop.Unsent(err), lost && c.Exchange.Elsewhere(err):
		return c.standIn.Retry()
	}
	return false
}

// enter and leave count the requests that a shard has at the moment.
func (c *conn) enter(s *shard) {
	c.shard, c.inside = s, true
	s.load.inFlight.Add(1)
	c.inFlight.Add(1)
}

func (c *conn) leave() {
	c.inside = false
	c.shard.load.inFlight.Add(-1)
	c.inFlight.Add(-1)
}

// persists tells whether both sides want the connection to live on.
func (c *conn) persists() bool { return c.Request.Persists() && !c.closing.Load() }

// tunnel lets client and replica speak another protocol after a 101.
func (c *conn) tunnel() {
	c.metrics.upgraded.Inc()
	defer c.metrics.upgraded.Dec()
	if _, err := c.Tunnel(); err != nil {
		c.finish(statusGone)
		return
	}
	c.finish(http.StatusSwitchingProtocols)
}

// finish ends the account of a request.
func (c *conn) finish(status int) {
	took := time.Since(c.at)
	if c.span != nil {
		c.endSpan(status)
	}
	if c.shard == nil {
		c.metrics.refused.observe(status, took)
		return
	}
	c.shard.load.duration.observe(status, took)
}

package edge

import (
	"strconv"

	"github.com/flotilla-dev/flotilla/internal/h1"
	"github.com/flotilla-dev/flotilla/internal/hop"
)

// viaName is how the edge calls itself in Via.
const viaName = " edge\r\n"

// smallBody is the largest body that is read before the request goes upstream:
// then it needs no second goroutine, one write sends it all, and a client that
// is slow to send it holds no connection to a replica.
const smallBody = 16 << 10

// prepare writes the head of the request to the upstream, and gets the body
// ready.
func (c *conn) prepare(r *route) error {
	q, x := &c.req, &c.x
	x.Head = append(append(x.Head[:0], q.Method...), ' ')
	x.Head = append(x.Head, q.Target...)
	x.Head = append(x.Head, " HTTP/1.1\r\nHost: "...)
	x.Head = append(x.Head, q.Host...)
	x.Head = append(x.Head, '\r', '\n')
	var parent []byte
	var forwarded string
	for i := range q.Fields {
		field := &q.Fields[i]
		switch field.Kind {
		case h1.Host, h1.Expect, h1.Forwarding, h1.TraceState:
			continue
		case h1.ForwardedFor:
			if c.peer.trusted {
				forwarded = joinList(forwarded, string(field.Value))
			}
			continue
		case h1.TraceParent:
			if validParent(field.Value) {
				parent = field.Value
			}
			continue
		}
		if q.Forward(field) {
			x.Head = appendField(x.Head, field.Name, field.Value)
		}
	}
	x.Head = c.appendOwn(x.Head, forwarded)
	x.Head = c.appendTrace(x.Head, parent, r)
	return c.prepareBody(r)
}

func joinList(list, more string) string {
	if list == "" {
		return more
	}
	return list + ", " + more
}

func appendField(b, name, value []byte) []byte {
	b = append(append(b, name...), ':', ' ')
	b = append(b, value...)
	return append(b, '\r', '\n')
}

// appendOwn appends what the edge says about client and connection. Nothing of
// this is taken from the client.
func (c *conn) appendOwn(b []byte, forwarded string) []byte {
	client, chain := c.peer.text, c.peer.text
	if c.peer.trusted {
		client, chain = origin(forwarded, c.peer, c.trusted)
		c.entry.client = client
	}
	b = append(b, "X-Forwarded-For: "...)
	b = append(b, chain...)
	b = append(b, "\r\nX-Real-IP: "...)
	b = append(b, client...)
	b = append(b, "\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: "...)
	b = append(b, c.req.Host...)
	b = append(b, "\r\nVia: 1."...)
	b = append(b, byte('0'+c.req.Minor))
	b = append(b, viaName...)
	if c.req.Trailers {
		b = append(b, "TE: trailers\r\nConnection: TE\r\n"...)
	}
	return b
}

// appendTrace continues the client's trace, or begins one.
func (c *conn) appendTrace(b, parent []byte, r *route) []byte {
	if c.tracer != nil {
		c.span, parent = c.edge.span(parent, c.req.Method, r.label, http1)
	}
	b = append(b, "traceparent: "...)
	at := len(b)
	if parent == nil {
		b = appendParent(b)
	} else {
		b = append(b, parent...)
		for i := range c.req.Fields {
			if field := &c.req.Fields[i]; field.Kind == h1.TraceState {
				b = append(b, "\r\ntracestate: "...)
				b = append(b, field.Value...)
			}
		}
	}
	c.entry.trace = append(c.entry.trace[:0], b[at+3:at+35]...)
	return append(b, '\r', '\n')
}

// prepareBody ends the head by what it says of the body, and starts the body.
func (c *conn) prepareBody(r *route) error {
	q, x := &c.req, &c.x
	x.Replay = !q.HasBody() && replayable(string(q.Method))
	x.ToHead = string(q.Method) == "HEAD"
	x.Timeout = r.timeout
	x.Body, x.Chunked, x.Expect, x.Upgrade = nil, false, false, false
	if !q.HasBody() {
		x.Head = c.appendUpgrade(x.Head)
		if q.Length == 0 {
			x.Head = append(x.Head, "Content-Length: 0\r\n"...)
		}
		x.Head = append(x.Head, '\r', '\n')
		return nil
	}
	if q.Length > r.limit {
		return &hop.BodyError{Err: h1.ErrBodyTooLong}
	}
	c.body.start(c, r.limit)
	if q.Chunked() {
		x.Head = append(x.Head, "Transfer-Encoding: chunked\r\n"...)
	} else {
		x.Head = append(x.Head, "Content-Length: "...)
		x.Head = strconv.AppendInt(x.Head, q.Length, 10)
		x.Head = append(x.Head, '\r', '\n')
	}
	if q.Expect {
		x.Head = append(x.Head, "Expect: 100-continue\r\n"...)
	}
	x.Head = append(x.Head, '\r', '\n')
	if !q.Chunked() && !q.Expect && q.Length <= smallBody {
		return c.readSmallBody()
	}
	x.Body, x.Chunked, x.Expect = &c.body, q.Chunked(), q.Expect
	return nil
}

// appendUpgrade passes the offer of another protocol on.
func (c *conn) appendUpgrade(b []byte) []byte {
	if offer := c.req.WantsUpgrade(); offer != nil {
		c.x.Upgrade = true
		b = append(b, "Connection: Upgrade\r\nUpgrade: "...)
		b = append(b, offer...)
		b = append(b, '\r', '\n')
	}
	return b
}

// replayable are the methods that have the same effect once and twice
// (RFC 9110, 9.2.2).
func replayable(method string) bool {
	switch method {
	case "GET", "HEAD", "OPTIONS", "PUT", "DELETE":
		return true
	}
	return false
}

package edge

import (
	"github.com/flotilla-dev/flotilla/internal/front"
	"github.com/flotilla-dev/flotilla/internal/h1"
)

// viaName is how the edge calls itself in Via.
const viaName = " edge\r\n"

// prepare writes the head of the request to the upstream, and gets the body
// ready.
func (c *conn) prepare(r *route) error {
	q, x := &c.Request, &c.Exchange
	x.Head = append(append(x.Head[:0], q.Method...), ' ')
	x.Head = append(x.Head, q.Target...)
	x.Head = append(x.Head, " HTTP/1.1\r\nHost: "...)
	x.Head = append(x.Head, q.Host...)
	x.Head = append(x.Head, '\r', '\n')
	var forwarded string
	for i := range q.Fields {
		field := &q.Fields[i]
		switch field.Kind {
		case h1.Host, h1.Expect, h1.Forwarding, h1.TraceParent, h1.TraceState:
			continue
		case h1.ForwardedFor:
			if c.peer.trusted {
				forwarded = joinList(forwarded, string(field.Value))
			}
			continue
		}
		if q.Forward(field) {
			x.Head = front.AppendField(x.Head, field.Name, field.Value)
		}
	}
	x.Head = c.appendOwn(x.Head, forwarded)
	x.Head = c.appendTrace(x.Head, r)
	x.Timeout = r.timeout
	return c.Complete(r.limit)
}

func joinList(list, more string) string {
	if list == "" {
		return more
	}
	return list + ", " + more
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
	b = append(b, c.Request.Host...)
	b = append(b, "\r\nVia: 1."...)
	b = append(b, byte('0'+c.Request.Minor))
	b = append(b, viaName...)
	if c.Request.Trailers {
		b = append(b, "TE: trailers\r\nConnection: TE\r\n"...)
	}
	return b
}

// appendTrace continues the client's trace, or begins one.
func (c *conn) appendTrace(b []byte, r *route) []byte {
	parent := c.Parent()
	continued := parent != nil
	if c.tracer != nil {
		c.span, parent = c.edge.span(parent, c.Request.Method, r.label, http1)
	}
	b = append(b, "traceparent: "...)
	at := len(b)
	if parent == nil {
		b = front.AppendParent(b)
	} else {
		b = append(b, parent...)
	}
	c.entry.trace = append(c.entry.trace[:0], b[at+3:at+35]...)
	b = append(b, '\r', '\n')
	if continued {
		b = c.AppendState(b)
	}
	return b
}

package shardproxy

import (
	"net/netip"

	"go.opentelemetry.io/otel/attribute"

	"github.com/flotilla-dev/flotilla/internal/front"
	"github.com/flotilla-dev/flotilla/internal/h1"
)

// viaName is how the proxy calls itself in Via.
const viaName = " shardproxy\r\n"

// prepare writes the head of the request to the replica, but for what it says of the body.
func (c *conn) prepare() {
	q, x := &c.Request, &c.Exchange
	b := append(append(x.Head[:0], q.Method...), ' ')
	b = append(b, q.Target...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, q.Host...)
	b = append(b, '\r', '\n')
	for i := range q.Fields {
		field := &q.Fields[i]
		switch field.Kind {
		case h1.Host, h1.Expect, h1.ForwardedFor:
			continue
		case h1.Forwarding:
			if !c.trusted {
				continue
			}
		case h1.TraceParent, h1.TraceState:
			if c.tracer != nil {
				continue // ours follow
			}
		}
		if q.Forward(field) {
			b = front.AppendField(b, field.Name, field.Value)
		}
	}
	x.Head = c.appendTrace(c.appendOwn(b))
}

// appendOwn appends what the proxy says about client and connection.
func (c *conn) appendOwn(b []byte) []byte {
	q := &c.Request
	b = append(b, "X-Forwarded-For: "...)
	if c.trusted {
		for i := range q.Fields {
			if field := &q.Fields[i]; field.Kind == h1.ForwardedFor && len(field.Value) > 0 {
				b = append(append(b, field.Value...), ", "...)
			}
		}
	}
	b = append(b, c.text...)
	if !c.trusted {
		b = append(append(b, "\r\nX-Real-IP: "...), c.text...)
		b = append(b, "\r\nX-Forwarded-Proto: http"...)
		if c.secure {
			b = append(b, 's')
		}
		b = append(append(b, "\r\nX-Forwarded-Host: "...), q.Host...)
	}
	b = append(append(b, "\r\nVia: 1."...), byte('0'+q.Minor))
	b = append(b, viaName...)
	if q.Trailers {
		b = append(b, "TE: trailers\r\nConnection: TE\r\n"...)
	}
	return b
}

// appendTrace begins the span of the request, where traces are exported: under the client's
// span, and above that of the replica.
func (c *conn) appendTrace(b []byte) []byte {
	if c.tracer == nil {
		return b
	}
	parent := c.Parent()
	continued := parent != nil
	c.span, parent = front.StartSpan(c.tracer, parent, front.Span{Method: string(c.Request.Method), Secure: c.secure, Version: "1.1"})
	b = front.AppendField(b, []byte("traceparent"), parent)
	if continued {
		b = c.AppendState(b)
	}
	return b
}

// endSpan tells the span who answered.
func (c *conn) endSpan(status int) {
	if c.shard != nil {
		c.span.SetAttributes(attribute.String("shardproxy.shard", c.shard.name), attribute.Bool("shardproxy.stand_in", c.standsIn))
	}
	if !c.refusedAt.IsZero() {
		c.span.SetAttributes(attribute.Bool("shardproxy.misdirected", true))
	}
	front.EndSpan(c.span, status)
	c.span = nil
}

// Target, Field and Client are what keys are made of: a conn is a shardkey.Request.

// Target is the target of the request as it was sent.
func (c *conn) Target() []byte { return c.Request.Target }

// Field is the nth line of a field.
func (c *conn) Field(name string, n int) ([]byte, bool) {
	for i := range c.Request.Fields {
		field := &c.Request.Fields[i]
		if !sameName(field.Name, name) {
			continue
		}
		if n == 0 {
			return field.Value, true
		}
		n--
	}
	return nil, false
}

// Client is the address of the client, by the word of trusted proxies.
func (c *conn) Client() netip.Addr {
	if !c.trusted {
		return c.peer
	}
	var lines []string
	for i := range c.Request.Fields {
		if field := &c.Request.Fields[i]; field.Kind == h1.ForwardedFor {
			lines = append(lines, string(field.Value))
		}
	}
	return c.cfg.Trusted.Client(c.peer, lines...)
}

// sameName compares names of fields, which know no case.
func sameName(name []byte, other string) bool {
	if len(name) != len(other) {
		return false
	}
	for i, c := range name {
		if lower(c) != lower(other[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c |= 0x20
	}
	return c
}

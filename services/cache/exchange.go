package cache

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"time"
	"unsafe"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/flotilla-dev/flotilla/services/cache/accesslog"
	"github.com/flotilla-dev/flotilla/services/cache/http1"
	"github.com/flotilla-dev/flotilla/services/cache/policy"
	"github.com/flotilla-dev/flotilla/services/cache/rfc9111"
	"github.com/flotilla-dev/flotilla/services/cache/store"
)

// exchange is one request and its answer. It belongs to the connection and is used again for the next.
type exchange struct {
	s    *Server
	c    *http1.Conn
	rq   *http1.Request
	peer netip.Addr

	started    time.Time
	client     netip.Addr
	route      *policy.Route
	key        string // points into keyBuf, or into a string of its own
	keyBuf     []byte
	parts      string
	directives rfc9111.Directives
	selector   rfc9111.Selector

	extra    rfc9111.Header // lines for the response: limits, Set-Cookie
	cs       rfc9111.CacheStatus
	outcome  outcome
	status   int
	upstream string
	limited  string
	caller   Caller
	admitted bool
	ctx      context.Context // carries the span when tracing
	span     trace.Span
}

// exchangeOf returns the connection's exchange.
func exchangeOf(s *Server, c *http1.Conn) *exchange {
	if x, ok := c.Data.(*exchange); ok {
		return x
	}
	x := &exchange{s: s, c: c, rq: &c.Request}
	if a, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		x.peer = a.AddrPort().Addr().Unmap().WithZone("")
	}
	c.Data = x
	return x
}

// begin works out route, key and directives.
func (x *exchange) begin() {
	rq := x.rq
	x.started = time.Now()
	x.client = x.peer
	if len(x.s.Trusted) > 0 && x.s.Trusted.Trusts(x.peer) {
		x.client = x.s.Trusted.Client(x.peer, rq.Header.Joined("X-Forwarded-For"))
	}
	x.extra, x.cs, x.upstream, x.limited, x.admitted = x.extra[:0], rfc9111.CacheStatus{}, "", "", false
	x.status, x.outcome = 0, outcomePass
	path := plainPath(rq.Path)
	x.route = x.s.policy.Load().Match(path)
	x.makeKey(path)
	x.parts = x.route.Parts(rq.Header)
	x.directives = rfc9111.Directives{}
	if !x.route.IgnoreClient {
		x.directives = rfc9111.RequestDirectives(rq.Header)
	}
	x.selector = rfc9111.Selector{Request: rq.Header, Offers: x.route.Accept}
	x.ctx = x.s.fillCtx
	if x.s.Tracing {
		x.trace()
	}
}

// makeKey joins host and target in the buffer of the exchange; look-ups need no string of their own.
func (x *exchange) makeKey(path string) {
	b := x.keyBuf[:0]
	host := x.rq.Host
	for i := range len(host) {
		c := host[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		b = append(b, c)
	}
	if x.route.PlainQuery() {
		b = append(b, path...)
		if x.rq.Query != "" {
			b = append(append(b, '?'), x.rq.Query...)
		}
	} else {
		b = append(b, x.route.Target(path, x.rq.Query)...)
	}
	x.keyBuf = b
	x.key = unsafe.String(unsafe.SliceData(b), len(b))
}

// keyOf is the key of another target on the same host, as Location names it.
func (x *exchange) keyOf(target string) string {
	path, query, _ := strings.Cut(target, "?")
	path = plainPath(path)
	return store.Key(x.rq.Host, x.s.policy.Load().Match(path).Target(path, query))
}

// target is path and query as they go upstream: exactly as they came.
func (x *exchange) target() string {
	if !x.rq.HasQuery {
		return x.rq.Path
	}
	return x.rq.Path + "?" + x.rq.Query
}

// plainPath normalises percent-encoding for routing and keys only: unreserved characters are decoded and
// hex digits are upper case (RFC 3986 6.2.2), so that /%64og and /dog are one. %2F stays as it is.
func plainPath(path string) string {
	if strings.IndexByte(path, '%') < 0 {
		return path
	}
	b := make([]byte, 0, len(path))
	for i := 0; i < len(path); i++ {
		if path[i] != '%' || i+2 >= len(path) {
			b = append(b, path[i])
			continue
		}
		hi, lo := unhex(path[i+1]), unhex(path[i+2])
		switch c := hi<<4 | lo; {
		case hi > 15 || lo > 15:
			b = append(b, '%')
			continue
		case unreserved(c):
			b = append(b, c)
		default:
			const digits = "0123456789ABCDEF"
			b = append(b, '%', digits[hi], digits[lo])
		}
		i += 2
	}
	return string(b)
}

// unhex returns 16 or more for what is no hex digit.
func unhex(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 0xff
}

func unreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}

// carrier reads trace context from a request.
type carrier rfc9111.Header

func (c carrier) Get(key string) string { return rfc9111.Header(c).Get(key) }
func (c carrier) Set(string, string)    {}
func (c carrier) Keys() []string        { return nil }

var _ propagation.TextMapCarrier = carrier(nil)

// trace starts a span. Strings are cloned: spans are exported after the request.
func (x *exchange) trace() {
	ctx := otel.GetTextMapPropagator().Extract(x.s.fillCtx, carrier(x.rq.Header.Clone()))
	x.ctx, x.span = x.s.tracer.Start(ctx, strings.Clone(x.rq.Method), trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
		attribute.String("http.request.method", strings.Clone(x.rq.Method)),
		attribute.String("url.path", strings.Clone(x.rq.Path)), attribute.String("http.route", x.route.Name)))
}

// end counts and logs.
func (x *exchange) end() {
	if x.admitted {
		defer x.s.Admission.Done(&x.caller)
	}
	took := time.Since(x.started)
	x.s.metrics.observe(x.outcome, x.status, x.c.Sent(), took)
	traceID := ""
	if x.span != nil {
		x.span.SetAttributes(attribute.Int("http.response.status_code", x.status), attribute.String("cache.outcome", x.outcome.String()))
		traceID = x.span.SpanContext().TraceID().String()
		x.span.End()
		x.span = nil
	}
	if x.s.access == nil {
		return
	}
	if tp := x.rq.Header.Get("traceparent"); traceID == "" && len(tp) == 55 {
		traceID = tp[3:35]
	}
	x.s.access.Add(&accesslog.Entry{Time: x.started, Client: x.client, Method: x.rq.Method, Host: x.rq.Host, Path: x.rq.Path,
		Query: x.rq.Query, HasQuery: x.rq.HasQuery, Status: x.status, Bytes: x.c.Sent(), Duration: took,
		Cache: x.outcome.String(), Route: x.route.Name, Upstream: x.upstream, TraceID: traceID, Limited: x.limited})
}

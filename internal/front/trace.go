package front

import (
	"context"
	"math/rand/v2"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/flotilla-dev/flotilla/internal/h1"
)

// parentLength is the length of a traceparent of version 00.
const parentLength = len("00-0123456789abcdef0123456789abcdef-0123456789abcdef-01")

// ValidParent tells whether a client's traceparent can be continued (W3C Trace
// Context). One that cannot is replaced, and tracestate dropped with it.
func ValidParent(v []byte) bool {
	if len(v) != parentLength || v[0] != '0' || v[1] != '0' || v[2] != '-' || v[35] != '-' || v[52] != '-' {
		return false
	}
	return lowerHex(v[3:35], true) && lowerHex(v[36:52], true) && lowerHex(v[53:55], false)
}

// lowerHex tells whether b is in lower-case hexadecimal, and not all zero where
// that is forbidden.
func lowerHex(b []byte, notZero bool) bool {
	zero := true
	for _, c := range b {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
		zero = zero && c == '0'
	}
	return !zero || !notZero
}

// AppendParent begins a trace. The ids need to be unlike each other, not secret.
func AppendParent(b []byte) []byte {
	b = append(b, "00-"...)
	b = appendHex(b, rand.Uint64())
	b = appendHex(b, rand.Uint64()|1)
	b = append(b, '-')
	b = appendHex(b, rand.Uint64()|1)
	return append(b, "-01"...)
}

func appendHex(b []byte, v uint64) []byte {
	for shift := 60; shift >= 0; shift -= 4 {
		b = append(b, hexDigits[v>>shift&15])
	}
	return b
}

// A Span says what a server span is about.
type Span struct {
	Method  string
	Route   string // "": the gateway has none
	Secure  bool
	Version string // of HTTP, as in network.protocol.version
}

// StartSpan begins a server span under a traceparent, which is valid or nil for none, and
// returns the traceparent that goes upstream. It is called only when traces are exported.
func StartSpan(t trace.Tracer, parent []byte, s Span) (trace.Span, []byte) {
	ctx := context.Background()
	if len(parent) == parentLength {
		traceID, err1 := trace.TraceIDFromHex(string(parent[3:35]))
		spanID, err2 := trace.SpanIDFromHex(string(parent[36:52]))
		if err1 == nil && err2 == nil {
			flags := trace.TraceFlags(strings.IndexByte(hexDigits, parent[54])) & trace.FlagsSampled
			ctx = trace.ContextWithRemoteSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
				TraceID: traceID, SpanID: spanID, TraceFlags: flags, Remote: true,
			}))
		}
	}
	name, scheme := s.Method, "http"
	attributes := []attribute.KeyValue{attribute.String("http.request.method", s.Method), attribute.String("network.protocol.version", s.Version)}
	if s.Route != "" {
		name += " " + s.Route
		attributes = append(attributes, attribute.String("http.route", s.Route))
	}
	if s.Secure {
		scheme = "https"
	}
	attributes = append(attributes, attribute.String("url.scheme", scheme))
	_, span := t.Start(ctx, name, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(attributes...))
	sc := span.SpanContext()
	next := make([]byte, 0, parentLength)
	next = append(next, "00-"...)
	next = append(next, sc.TraceID().String()...)
	next = append(next, '-')
	next = append(next, sc.SpanID().String()...)
	if sc.IsSampled() {
		return span, append(next, "-01"...)
	}
	return span, append(next, "-00"...)
}

// EndSpan tells the span how the request ended.
func EndSpan(span trace.Span, status int) {
	span.SetAttributes(attribute.Int("http.response.status_code", status))
	if status >= 500 {
		span.SetStatus(codes.Error, "")
	}
	span.End()
}

// Parent is the traceparent of the request, or nil where it has none that can be continued.
func (c *Conn) Parent() []byte {
	for i := range c.Request.Fields {
		if field := &c.Request.Fields[i]; field.Kind == h1.TraceParent && ValidParent(field.Value) {
			return field.Value
		}
	}
	return nil
}

// AppendState passes the tracestate of the request on, which belongs to its Parent.
func (c *Conn) AppendState(b []byte) []byte {
	for i := range c.Request.Fields {
		if field := &c.Request.Fields[i]; field.Kind == h1.TraceState {
			b = AppendField(b, field.Name, field.Value)
		}
	}
	return b
}

package edge

import (
	"context"
	"math/rand/v2"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// parentLength is the length of a traceparent of version 00.
const parentLength = len("00-0123456789abcdef0123456789abcdef-0123456789abcdef-01")

// validParent tells whether a client's traceparent can be continued (W3C Trace
// Context). One that cannot is replaced, and tracestate dropped with it.
func validParent(v []byte) bool {
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

// appendParent begins a trace. The ids need to be unlike each other, not secret.
func appendParent(b []byte) []byte {
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

// span begins a server span under the given parent and returns the traceparent
// that goes upstream. It is called only when traces are exported.
func (e *edge) span(parent, method []byte, label string, p protocol) (trace.Span, []byte) {
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
	_, span := e.tracer.Start(ctx, string(method)+" "+label, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
		attribute.String("http.request.method", string(method)),
		attribute.String("http.route", label),
		attribute.String("url.scheme", "https"),
		attribute.String("network.protocol.version", protocolVersions[p]),
	))
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

// endSpan tells the span how the request ended.
func endSpan(span trace.Span, status int) {
	span.SetAttributes(attribute.Int("http.response.status_code", status))
	if status >= 500 {
		span.SetStatus(codes.Error, "")
	}
	span.End()
}

package edge

import (
	"go.opentelemetry.io/otel/trace"

	"github.com/flotilla-dev/flotilla/internal/front"
)

// span begins a server span; see front.StartSpan.
func (e *edge) span(parent, method []byte, label string, p protocol) (trace.Span, []byte) {
	return front.StartSpan(e.tracer, parent, front.Span{Method: string(method), Route: label, Secure: true, Version: protocolVersions[p]})
}

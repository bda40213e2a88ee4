package doclog

import (
	"context"

	"github.com/IBM/sarama"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
)

// withTrace adds the trace that the context is part of, as W3C names its fields.
func withTrace(ctx context.Context, r *sarama.Record) {
	fields := propagation.MapCarrier{}
	otel.GetTextMapPropagator().Inject(ctx, fields)
	if parent := fields.Get("traceparent"); parent != "" { // baggage is the caller's own, and of no bounded length
		r.Headers = append(r.Headers, &sarama.RecordHeader{Key: []byte("traceparent"), Value: []byte(parent)})
	}
}

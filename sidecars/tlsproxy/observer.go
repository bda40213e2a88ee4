package tlsproxy

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// An observer sees every request: it writes the access log, keeps the metrics
// and, where traces are sent, makes a span.
type observer struct {
	log     *slog.Logger
	cfg     *Config
	metrics *metrics
	tracer  trace.Tracer // nil: a client's traceparent is passed on as it is
	tunnels *tunnels
}

// clientGone is logged and counted in the place of a status that nobody has seen.
const clientGone = 499

func (o *observer) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		o.metrics.active.Inc()
		resp := newResponse(w, o.cfg, o.tunnels)
		ctx, span := o.begin(r)
		// Deferred, because an answer that breaks off ends by a panic.
		defer func() {
			if resp.tunnel {
				o.tunnels.leave()
			}
			o.metrics.active.Dec()
			o.record(ctx, r, resp, span, time.Since(began))
		}()
		next.ServeHTTP(resp, r.WithContext(ctx))
	})
}

func (o *observer) begin(r *http.Request) (context.Context, trace.Span) {
	ctx := r.Context()
	if o.tracer == nil {
		return ctx, trace.SpanFromContext(ctx)
	}
	ctx = otel.GetTextMapPropagator().Extract(ctx, propagation.HeaderCarrier(r.Header))
	return o.tracer.Start(ctx, method(r), trace.WithSpanKind(trace.SpanKindServer))
}

func (o *observer) record(ctx context.Context, r *http.Request, resp *response, span trace.Span, took time.Duration) {
	o.metrics.duration.WithLabelValues(method(r), strconv.Itoa(resp.status)).Observe(took.Seconds())
	if span.IsRecording() {
		span.SetAttributes(attribute.String("http.request.method", method(r)), attribute.String("url.path", r.URL.Path),
			attribute.Int("http.response.status_code", resp.status))
		if resp.status >= 500 {
			span.SetStatus(codes.Error, "")
		}
	}
	if o.tracer != nil {
		span.End()
	}
	if o.cfg.AccessLog {
		o.log.LogAttrs(ctx, slog.LevelInfo, "request",
			slog.String("protocol", r.Proto), slog.String("method", r.Method), slog.String("host", r.Host), slog.String("path", r.URL.EscapedPath()),
			slog.Int("status", resp.status), slog.Int64("bytes", resp.sent), slog.Float64("ms", float64(took.Microseconds())/1000), slog.String("peer", r.RemoteAddr))
	}
}

// answerError tells a client what went wrong between here and the application.
func (o *observer) answerError(w http.ResponseWriter, r *http.Request, err error) {
	p := explain(r, err)
	if p == nil {
		if resp, ok := w.(*response); ok {
			resp.status = clientGone
		}
		return
	}
	if p.Status >= 500 {
		o.log.WarnContext(r.Context(), "request not answered by the application", "method", r.Method, "path", r.URL.EscapedPath(), "error", err)
	}
	p.Write(w)
}

// method bounds a label that the client chooses.
func method(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return r.Method
	}
	return "_OTHER"
}

package api

import (
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/telemetry"
)

// observer sees every request: it writes the access log and keeps the metrics,
// named as the semantic conventions of OpenTelemetry name them.
type observer struct {
	log      *slog.Logger
	tracer   trace.Tracer
	active   prometheus.Gauge
	duration *prometheus.HistogramVec
}

func newObserver(p *process.Process) *observer {
	o := &observer{
		log:    p.Log,
		tracer: otel.Tracer("github.com/flotilla-dev/flotilla/internal/api"),
		active: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "http_server_active_requests", Help: "Requests being handled.",
		}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "http_server_request_duration_seconds", Help: "Time to handle a request.", Buckets: telemetry.LatencyBuckets,
		}, []string{"http_request_method", "http_route", "http_response_status_code"}),
	}
	p.Metrics.MustRegister(o.active, o.duration)
	return o
}

func (o *observer) observe(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		began := time.Now()
		o.active.Inc()
		defer o.active.Dec()
		req := c.Request()
		ctx := otel.GetTextMapPropagator().Extract(req.Context(), propagation.HeaderCarrier(req.Header))
		ctx, span := o.tracer.Start(ctx, method(req)+" "+c.Path(), trace.WithSpanKind(trace.SpanKindServer))
		defer span.End()
		c.SetRequest(req.WithContext(ctx))

		if err := next(c); err != nil {
			c.Error(err) // answers it, so that the status below is the one sent
		}
		o.record(c, span, time.Since(began))
		return nil
	}
}

func (o *observer) record(c echo.Context, span trace.Span, took time.Duration) {
	req, status := c.Request(), c.Response().Status
	o.duration.WithLabelValues(method(req), c.Path(), strconv.Itoa(status)).Observe(took.Seconds())
	if span.IsRecording() {
		span.SetAttributes(attribute.String("http.request.method", method(req)), attribute.String("http.route", c.Path()),
			attribute.String("url.path", req.URL.Path), attribute.Int("http.response.status_code", status))
		if status >= 500 {
			span.SetStatus(codes.Error, "")
		}
	}
	o.log.LogAttrs(req.Context(), slog.LevelInfo, "request",
		slog.String("method", req.Method), slog.String("path", req.URL.EscapedPath()), slog.Int("status", status),
		slog.Int64("bytes", c.Response().Size), slog.Float64("ms", float64(took.Microseconds())/1000), slog.String("peer", req.RemoteAddr))
}

// method bounds a label that the client chooses.
func method(req *http.Request) string {
	switch req.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return req.Method
	}
	return "_OTHER"
}

// answerError writes an error that a handler returned as a problem.
func answerError(log *slog.Logger) echo.HTTPErrorHandler {
	return func(err error, c echo.Context) {
		p := asProblem(err)
		if p.Status >= 500 {
			log.ErrorContext(c.Request().Context(), "request failed", "method", c.Request().Method, "path", c.Request().URL.EscapedPath(), "error", err)
		}
		if c.Response().Committed {
			return // too late: the status is with the client
		}
		if c.Request().Method == http.MethodHead {
			c.Response().Header().Set("Content-Type", "application/problem+json")
			c.Response().WriteHeader(p.Status)
			return
		}
		p.Write(c.Response())
	}
}

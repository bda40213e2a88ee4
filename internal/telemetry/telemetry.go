// Package telemetry gives a process its logger, its metrics registry and its
// tracer.
//
// Logs are JSON on standard error (text with LOG_FORMAT=text), with the trace and
// span id of the context they were written in. Metrics are registered with
// Prometheus and served on the administration listener. Traces, and the same
// metrics by push, leave the process by OTLP over HTTP when one of the standard
// OTEL_EXPORTER_OTLP_*ENDPOINT variables is set; otherwise nothing is recorded
// and nothing is paid.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	bridge "go.opentelemetry.io/contrib/bridges/prometheus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
)

// Service names the process in all it emits.
type Service struct {
	Name     string     // service.name
	Instance string     // service.instance.id
	Version  string     // service.version
	Level    slog.Level // of the log
	Text     bool       // log as text, for eyes, instead of JSON
}

// Telemetry is what Start made.
type Telemetry struct {
	Log      *slog.Logger
	Registry *prometheus.Registry
	Tracing  bool // whether spans leave the process
	stop     []func(context.Context) error
}

// Start sets up telemetry; logs go to out. It sets OpenTelemetry's global tracer
// provider and propagator, which is how libraries find them.
func Start(ctx context.Context, s Service, out io.Writer) (*Telemetry, error) {
	t := &Telemetry{Log: logger(s, out), Registry: prometheus.NewRegistry()}
	t.Registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), buildInfo(s))
	otel.SetTextMapPropagator(propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{}))
	if os.Getenv("OTEL_SDK_DISABLED") == "true" {
		return t, nil
	}
	if err := errors.Join(t.exportTraces(ctx, s), t.exportMetrics(ctx, s)); err != nil {
		return nil, fmt.Errorf("start telemetry: %w", err)
	}
	return t, nil
}

// Shutdown sends what is left, within the deadline of ctx.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	var errs []error
	for _, stop := range t.stop {
		errs = append(errs, stop(ctx))
	}
	return errors.Join(errs...)
}

// wanted tells whether a signal is to be exported, by the rules of the
// OpenTelemetry environment variable specification.
func wanted(signal string) bool {
	if os.Getenv("OTEL_"+signal+"S_EXPORTER") == "none" {
		return false
	}
	return os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || os.Getenv("OTEL_EXPORTER_OTLP_"+signal+"S_ENDPOINT") != ""
}

func (t *Telemetry) exportTraces(ctx context.Context, s Service) error {
	if !wanted("TRACE") {
		return nil
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return fmt.Errorf("trace exporter: %w", err)
	}
	provider := trace.NewTracerProvider(trace.WithBatcher(exporter), trace.WithResource(describe(ctx, s)))
	otel.SetTracerProvider(provider)
	t.Tracing = true
	t.stop = append(t.stop, provider.Shutdown)
	return nil
}

func (t *Telemetry) exportMetrics(ctx context.Context, s Service) error {
	if !wanted("METRIC") {
		return nil
	}
	exporter, err := otlpmetrichttp.New(ctx)
	if err != nil {
		return fmt.Errorf("metric exporter: %w", err)
	}
	reader := metric.NewPeriodicReader(exporter, metric.WithProducer(bridge.NewMetricProducer(bridge.WithGatherer(t.Registry))))
	provider := metric.NewMeterProvider(metric.WithReader(reader), metric.WithResource(describe(ctx, s)))
	t.stop = append(t.stop, provider.Shutdown)
	return nil
}

// describe merges our names with OTEL_RESOURCE_ATTRIBUTES.
func describe(ctx context.Context, s Service) *resource.Resource {
	r, err := resource.New(ctx, resource.WithAttributes(
		attribute.String("service.name", s.Name),
		attribute.String("service.instance.id", s.Instance),
		attribute.String("service.version", s.Version),
	), resource.WithFromEnv())
	if err != nil { // a malformed variable: what could be read is in r
		otel.Handle(err)
	}
	return r
}

func logger(s Service, out io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: s.Level}
	var h slog.Handler = slog.NewJSONHandler(out, options)
	if s.Text {
		h = slog.NewTextHandler(out, options)
	}
	return slog.New(withTrace{h}).With("service", s.Name, "instance", s.Instance)
}

func buildInfo(s Service) prometheus.Collector {
	g := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "flotilla_build_info", Help: "1, labelled by program and version.",
		ConstLabels: prometheus.Labels{"program": s.Name, "version": s.Version},
	})
	g.Set(1)
	return g
}

// LatencyBuckets are the upper bounds, in seconds, of every latency histogram:
// fine where a cache answers, up to what a client waits for.
var LatencyBuckets = prometheus.ExponentialBucketsRange(0.0002, 10, 16)

// Flush is how long Shutdown may take when a process ends.
const Flush = 2 * time.Second

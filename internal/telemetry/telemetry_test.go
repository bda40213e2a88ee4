package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/internal/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestLogCarriesTheSpanOfItsContext(t *testing.T) {
	var out bytes.Buffer
	tel, err := telemetry.Start(t.Context(), telemetry.Service{Name: "demo", Instance: "demo-1"}, &out)
	if err != nil {
		t.Fatal(err)
	}
	span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})
	tel.Log.InfoContext(trace.ContextWithSpanContext(t.Context(), span), "hello")
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	if line["trace_id"] != span.TraceID().String() || line["span_id"] != span.SpanID().String() || line["instance"] != "demo-1" {
		t.Errorf("%v", line)
	}
}

func TestNothingIsExportedUnlessAsked(t *testing.T) {
	tel, err := telemetry.Start(t.Context(), telemetry.Service{Name: "demo"}, io.Discard)
	if err != nil || tel.Tracing {
		t.Errorf("tracing %v, error %v", tel.Tracing, err)
	}
}

func TestShutdownSendsSpansAndMetrics(t *testing.T) {
	var mu sync.Mutex
	paths := map[string]int{}
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		paths[r.URL.Path]++
	}))
	defer collector.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	defer otel.SetTracerProvider(noop.NewTracerProvider())

	tel, err := telemetry.Start(t.Context(), telemetry.Service{Name: "demo"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	_, span := otel.Tracer("test").Start(t.Context(), "work")
	span.End()
	if err := tel.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	mu.Lock()
	defer mu.Unlock()
	if paths["/v1/traces"] == 0 || paths["/v1/metrics"] == 0 {
		t.Errorf("the collector saw %v", paths)
	}
}

package shardproxy

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace/noop"
)

// The spans are looked for in what the collector gets, whose texts are readable.
func TestASpanNamesTheShardAndWhetherItStoodIn(t *testing.T) {
	var mu sync.Mutex
	var sent strings.Builder
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if body, err := io.ReadAll(r.Body); err == nil && r.URL.Path == "/v1/traces" {
			mu.Lock()
			defer mu.Unlock()
			sent.Write(body)
		}
	}))
	defer collector.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	defer otel.SetTracerProvider(noop.NewTracerProvider())
	echo := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Header.Get("Traceparent")+" "+r.Header.Get("Tracestate"))
	}
	a, b := newReplica(t, "a", echo), newReplica(t, "b", echo)
	text := entry("shard-alpha", a.addr()) + entry("shard-beta", b.addr())
	w := start(t, text, nil)
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	path := pathOf(t, text, "shard-alpha")
	_, one := w.get(path, "traceparent", parent, "tracestate", "a=1")
	if !strings.HasPrefix(one, parent[:36]) || strings.HasPrefix(one, parent) || !strings.HasSuffix(one, "-01 a=1") {
		t.Errorf("the replica was told %q", one)
	}
	if _, begun := w.get(path, "traceparent", "00-nonsense", "tracestate", "a=1"); len(begun) != len(parent)+1 {
		t.Errorf("of a trace that is none the replica was told %q", begun)
	}
	a.status.Store(503)
	w.eventually("lost", func() bool { return w.shard("shard-alpha").State == stateLost })
	w.get(path)
	w.say("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n") // no request, and no span
	if err := w.Stop(); err != nil {
		t.Fatal(err)
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	mu.Lock()
	defer mu.Unlock()
	got := sent.String()
	for text, times := range map[string]int{"shard-alpha": 2, "shard-beta": 1, "shardproxy.stand_in": 3, "http.response.status_code": 3} {
		if n := strings.Count(got, text); n != times {
			t.Errorf("%s is told %d times, want %d", text, n, times)
		}
	}
}

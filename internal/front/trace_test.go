package front

import (
	"strings"
	"testing"

	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

func TestWhatIsNoTraceParentIsNotContinued(t *testing.T) {
	const good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	for text, want := range map[string]bool{
		good: true, "": false, good + "0": false, "01" + good[2:]: false, strings.ToUpper(good): false, strings.Replace(good, "-", "_", 1): false,
		"00-00000000000000000000000000000000-b7ad6b7169203331-01": false, "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01": false,
		good[:53] + "0g": false, good[:53] + "00": true,
	} {
		if ValidParent([]byte(text)) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
	if begun := AppendParent(nil); !ValidParent(begun) {
		t.Errorf("a trace of ours: %q", begun)
	}
}

func TestASpanContinuesTheTraceAndTellsHowItEnded(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	tracer := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)).Tracer("test")
	span, next := StartSpan(tracer, []byte("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), Span{Method: "GET", Secure: true, Version: "1.1"})
	EndSpan(span, 503)
	root, begun := StartSpan(tracer, nil, Span{Method: "PUT", Route: "/a", Version: "2"})
	EndSpan(root, 404)
	unsampled, silent := StartSpan(tracer, []byte("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"), Span{Method: "GET"})
	EndSpan(unsampled, 200)
	ended := spans.Ended()
	if len(ended) != 2 {
		t.Fatalf("%d spans: one of the three was not to be recorded", len(ended))
	}
	first, second := ended[0], ended[1]
	if first.Name() != "GET" || first.Parent().SpanID().String() != "b7ad6b7169203331" || first.SpanKind() != trace.SpanKindServer || first.Status().Code != codes.Error {
		t.Errorf("%s of %s: %v", first.Name(), first.Parent().SpanID(), first.Status())
	}
	if want := "00-0af7651916cd43dd8448eb211c80319c-" + first.SpanContext().SpanID().String() + "-01"; string(next) != want {
		t.Errorf("goes on as %s, want %s", next, want)
	}
	if second.Name() != "PUT /a" || second.Parent().IsValid() || second.Status().Code == codes.Error || !ValidParent(begun) {
		t.Errorf("%s, %v, %s", second.Name(), second.Status(), begun)
	}
	if !ValidParent(silent) || !strings.HasSuffix(string(silent), "-00") {
		t.Errorf("not sampled, and goes on as %s", silent)
	}
	said := map[string]string{}
	for _, s := range ended {
		for _, a := range s.Attributes() {
			said[s.Name()+": "+string(a.Key)] = a.Value.String()
		}
	}
	for name, want := range map[string]string{
		"GET: http.request.method": "GET", "GET: url.scheme": "https", "GET: network.protocol.version": "1.1", "GET: http.response.status_code": "503", "GET: http.route": "",
		"PUT /a: http.route": "/a", "PUT /a: url.scheme": "http", "PUT /a: http.response.status_code": "404",
	} {
		if said[name] != want {
			t.Errorf("%s is %q, want %q", name, said[name], want)
		}
	}
}

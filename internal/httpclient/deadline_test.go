package httpclient_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/flotilla-dev/flotilla/internal/httpclient"
)

func TestTimeoutValues(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"0": 0, "1": time.Millisecond, "2500": 2500 * time.Millisecond, "86400000": 24 * time.Hour,
	} {
		if got, ok := httpclient.ParseTimeout(value); !ok || got != want || httpclient.FormatTimeout(got) != value {
			t.Errorf("%q: %s %v", value, got, ok)
		}
	}
	for _, value := range []string{"", "-1", "1.5", "1s", " 1", "1e3", "86400001", "99999999999999999999"} {
		if got, ok := httpclient.ParseTimeout(value); ok {
			t.Errorf("%q was read as %s", value, got)
		}
	}
	if got := httpclient.FormatTimeout(-time.Second); got != "0" {
		t.Errorf("negative: %s", got)
	}
}

// left answers how many milliseconds the handler's context has left, or none.
func left(w http.ResponseWriter, r *http.Request) {
	deadline, ok := r.Context().Deadline()
	if !ok {
		_, _ = io.WriteString(w, "none")
		return
	}
	_, _ = fmt.Fprint(w, time.Until(deadline).Milliseconds())
}

func TestDeadlineIsBoundedByTheServer(t *testing.T) {
	for _, test := range []struct {
		most     time.Duration
		header   string
		from, to int // milliseconds left; 0, 0: no deadline
	}{
		{0, "", 0, 0},
		{0, "nonsense", 0, 0},
		{0, "60000", 30_000, 60_000},
		{time.Minute, "", 30_000, 60_000},
		{time.Minute, "nonsense", 30_000, 60_000},
		{time.Minute, "3600000", 30_000, 60_000},
		{time.Hour, "60000", 30_000, 60_000},
	} {
		recorder := httptest.NewRecorder()
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set(httpclient.TimeoutHeader, test.header)
		httpclient.Deadline(test.most, http.HandlerFunc(left)).ServeHTTP(recorder, r)
		var ms int
		if recorder.Body.String() != "none" {
			_, _ = fmt.Sscan(recorder.Body.String(), &ms)
		}
		if ms < test.from || ms > test.to {
			t.Errorf("most %s, header %q: %s left", test.most, test.header, recorder.Body)
		}
	}
}

func TestDeadlineOfTheCallerReachesTheCalleeAndItsCallee(t *testing.T) {
	last := serve(t, httpclient.Deadline(time.Hour, http.HandlerFunc(left)).ServeHTTP)
	client := newClient(t, httpclient.Options{Timeout: time.Minute})
	middle := serve(t, httpclient.Deadline(time.Hour, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next, _ := http.NewRequestWithContext(r.Context(), "GET", last.URL, nil)
		next.Header.Set(httpclient.TimeoutHeader, "999999") // handed through by mistake
		response, err := client.Do(next)
		if err != nil {
			w.WriteHeader(500)
			return
		}
		defer response.Body.Close()
		_, _ = io.Copy(w, response.Body)
	})).ServeHTTP)
	for caller, from := range map[time.Duration]int{9 * time.Second: 4_000, time.Hour: 30_000} {
		ctx, cancel := context.WithTimeout(t.Context(), caller)
		r, _ := http.NewRequestWithContext(ctx, "GET", middle.URL, nil)
		response, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		content, _ := io.ReadAll(response.Body)
		response.Body.Close()
		cancel()
		var ms int
		_, _ = fmt.Sscan(string(content), &ms)
		if to := int(min(caller, time.Minute) / time.Millisecond); ms < from || ms > to {
			t.Errorf("caller waits %s: the last one has %q ms, want %d to %d", caller, content, from, to)
		}
	}
}

func TestPastDeadlineSendsNothing(t *testing.T) {
	s := &script{statuses: []int{200}}
	server := serve(t, s.ServeHTTP)
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	r, _ := http.NewRequestWithContext(ctx, "PUT", server.URL, strings.NewReader("x"))
	transport, err := httpclient.NewTransport(httpclient.Options{Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := transport.RoundTrip(r); err == nil || len(s.bodies) != 0 {
		t.Errorf("%v, %d calls", err, len(s.bodies))
	}
}

func TestTraceContextIsHandedOn(t *testing.T) {
	was := otel.GetTextMapPropagator()
	otel.SetTextMapPropagator(propagation.TraceContext{})
	defer otel.SetTextMapPropagator(was)
	server := serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Header.Get("Traceparent")) })
	span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: [16]byte{1}, SpanID: [8]byte{2}, TraceFlags: trace.FlagsSampled, Remote: true})
	r := newRequest(t, "GET", server.URL, "")
	r = r.WithContext(trace.ContextWithSpanContext(r.Context(), span))
	_, content, err := do(t, newClient(t, httpclient.Options{}), r)
	if want := "00-01000000000000000000000000000000-0200000000000000-01"; err != nil || content != want {
		t.Errorf("%q %v, want %s", content, err, want)
	}
	if r.Header.Get("Traceparent") != "" {
		t.Error("the caller's request was changed")
	}
}

func FuzzParseTimeout(f *testing.F) {
	for _, s := range []string{"0", "250", "-1", "1s", "99999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if d, ok := httpclient.ParseTimeout(value); ok && (d < 0 || d > 24*time.Hour) {
			t.Fatalf("%q gave %s", value, d)
		}
	})
}

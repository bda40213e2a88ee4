package httpclient_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flotilla-dev/flotilla/internal/httpclient"
	"github.com/flotilla-dev/flotilla/internal/nettest"
)

func cancelable(t testing.TB, url string) (*http.Request, context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r, cancel
}

func TestHungServerIsBounded(t *testing.T) {
	server := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	for name, o := range map[string]httpclient.Options{
		"head": {HeaderTimeout: 20 * time.Millisecond},
		"call": {Timeout: 50 * time.Millisecond},
	} {
		_, _, err := do(t, newClient(t, o), newRequest(t, "GET", server.URL, ""))
		var slow interface{ Timeout() bool }
		if !errors.As(err, &slow) || !slow.Timeout() {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHungBodyIsBounded(t *testing.T) {
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "some")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	client := newClient(t, httpclient.Options{Timeout: 100 * time.Millisecond})
	_, content, err := do(t, client, newRequest(t, "GET", server.URL, ""))
	if content != "some" || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%q, %v", content, err)
	}
	// Closing does not wait for it either.
	client = newClient(t, httpclient.Options{Timeout: patience})
	response, err := client.Do(newRequest(t, "GET", server.URL, ""))
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if response.Body.Close(); time.Since(began) > patience/2 {
		t.Errorf("close took %s", time.Since(began))
	}
}

func TestBodyLimit(t *testing.T) {
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		content := strings.Repeat("x", 100)
		if r.URL.Path == "/stream" {
			w.(http.Flusher).Flush() // no Content-Length
		}
		_, _ = io.WriteString(w, content)
	})
	for limit, fits := range map[int64]bool{99: false, 100: true, -1: true, 0: true, 1000: true} {
		client := newClient(t, httpclient.Options{MaxBody: limit})
		for _, path := range []string{"/", "/stream"} {
			_, content, err := do(t, client, newRequest(t, "GET", server.URL+path, ""))
			if fits && (err != nil || len(content) != 100) || !fits && !errors.Is(err, httpclient.ErrBodyTooLarge) {
				t.Errorf("limit %d, %s: %d bytes, %v", limit, path, len(content), err)
			}
			if len(content) > 100 || !fits && len(content) > 99 {
				t.Errorf("limit %d, %s: %d bytes were given", limit, path, len(content))
			}
		}
	}
}

func TestConnectionsAreReused(t *testing.T) {
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("x", 10_000))
	})
	client := newClient(t, httpclient.Options{})
	for i, read := range []int64{0, 10, 10_000, 0} {
		var reused bool
		r := newRequest(t, "GET", server.URL, "")
		r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
			GotConn: func(i httptrace.GotConnInfo) { reused = i.Reused },
		}))
		response, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.CopyN(io.Discard, response.Body, read)
		response.Body.Close()
		if reused != (i > 0) {
			t.Errorf("call %d: connection reused: %v", i, reused)
		}
	}
}

func TestUnknownAuthorityIsRefused(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Proto)
	}))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	server.StartTLS()
	defer server.Close()
	if _, _, err := do(t, newClient(t, httpclient.Options{}), newRequest(t, "GET", server.URL, "")); err == nil {
		t.Error("a certificate of an unknown authority was taken")
	}
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	client := newClient(t, httpclient.Options{
		Pool: newPool(t, poolOptions, addr(server)), TLS: &tls.Config{RootCAs: roots, ServerName: "example.com"},
	})
	if _, content, err := do(t, client, newRequest(t, "GET", "https://anything.internal", "")); err != nil || content != "HTTP/1.1" {
		t.Errorf("%q %v", content, err)
	}
}

func TestHTTP2(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Proto)
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	client := newClient(t, httpclient.Options{TLS: &tls.Config{RootCAs: roots}})
	if _, content, err := do(t, client, newRequest(t, "GET", server.URL, "")); err != nil || content != "HTTP/2.0" {
		t.Errorf("%q %v", content, err)
	}
}

func TestWrongOptions(t *testing.T) {
	registry := prometheus.NewRegistry()
	newClient(t, httpclient.Options{Name: "one", Metrics: registry})
	newClient(t, httpclient.Options{Name: "two", Metrics: registry})
	for name, o := range map[string]httpclient.Options{
		"no name":   {},
		"same name": {Name: "one", Metrics: registry},
	} {
		if _, err := httpclient.New(o); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

func TestMetrics(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	s := &script{statuses: []int{503, 200}}
	server := serve(t, s.ServeHTTP)
	client := newClient(t, httpclient.Options{Name: "dictionary", Metrics: registry})
	if status, _, err := do(t, client, newRequest(t, "GET", server.URL, "")); status != 200 {
		t.Fatal(status, err)
	}
	_, _, _ = do(t, client, newRequest(t, "BREW", "http://"+nettest.Refuse(t), ""))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, f := range families {
		for _, m := range f.Metric {
			name := f.GetName()
			for _, l := range m.Label {
				name += " " + l.GetValue()
			}
			got[name] = fmt.Sprint(m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount()))
		}
	}
	for name, want := range map[string]string{
		"http_client_request_duration_seconds GET 503 server_error dictionary":  "1",
		"http_client_request_duration_seconds GET 200 ok dictionary":            "1",
		"http_client_request_duration_seconds _OTHER  connect_error dictionary": "3",
		"http_client_retries_allowed_total dictionary":                          "3",
		"http_client_retries_refused_total dictionary":                          "0",
		"http_client_active_requests dictionary":                                "0",
	} {
		if got[name] != want {
			t.Errorf("%s is %q, want %s; %v", name, got[name], want, got)
		}
	}
}

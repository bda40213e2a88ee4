package edge_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/quic-go/quic-go"
	h3 "github.com/quic-go/quic-go/http3"
)

// http3 returns a client of the edge that speaks HTTP/3 only.
func (f *fixture) http3Client() *http.Client {
	transport := &h3.Transport{
		TLSClientConfig: &tls.Config{RootCAs: f.ca.Pool},
		Dial: func(ctx context.Context, _ string, t *tls.Config, q *quic.Config) (*quic.Conn, error) {
			return quic.DialAddrEarly(ctx, f.http3, t, q)
		},
	}
	f.t.Cleanup(func() { transport.Close() })
	return &http.Client{Transport: transport, Timeout: patience}
}

// each runs a test over all three protocols.
func each(t *testing.T, f *fixture, test func(t *testing.T, c *http.Client, protocol string)) {
	t.Run("HTTP/1.1", func(t *testing.T) { test(t, f.client(false), "HTTP/1.1") })
	t.Run("HTTP/2.0", func(t *testing.T) { test(t, f.client(true), "HTTP/2.0") })
	t.Run("HTTP/3.0", func(t *testing.T) { test(t, f.http3Client(), "HTTP/3.0") })
}

func TestEveryProtocolReachesTheUpstream(t *testing.T) {
	t.Parallel()
	f := start(t, settings{}, backend(t, echoName("app")))
	each(t, f, func(t *testing.T, c *http.Client, protocol string) {
		r, err := c.Get("https://a.localhost/tcp%2Fip?x=%2F")
		if got := body(t, r, err); got != "app /tcp%2Fip" {
			t.Errorf("got %q", got)
		}
		if r.Proto != protocol {
			t.Errorf("spoke %s", r.Proto)
		}
		if r.Header.Get("Strict-Transport-Security") == "" {
			t.Error("no Strict-Transport-Security")
		}
		if wants := protocol != "HTTP/3.0"; (r.Header.Get("Alt-Svc") == `h3=":8443"; ma=86400`) != wants {
			t.Errorf("Alt-Svc %q", r.Header.Get("Alt-Svc"))
		}
	})
}

func TestBodiesOfAllSizesPassBothWays(t *testing.T) {
	t.Parallel()
	f := start(t, settings{}, backend(t, func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if r.URL.Query().Has("chunked") {
			w.Write(b[:len(b)/2])
			w.(http.Flusher).Flush()
			b = b[len(b)/2:]
		}
		w.Write(b)
	}))
	each(t, f, func(t *testing.T, c *http.Client, _ string) {
		for _, size := range []int{0, 1, 1000, 16 << 10, 16<<10 + 1, 32 << 10, 100_000, 3_000_000} {
			sent := make([]byte, size)
			rand.Read(sent)
			for _, query := range []string{"", "?chunked"} {
				for _, unknown := range []bool{false, true} {
					var reader io.Reader = bytes.NewReader(sent)
					if unknown {
						reader = io.MultiReader(reader) // hides the length
					}
					r, err := c.Post("https://a.localhost/"+query, "application/octet-stream", reader)
					if got := body(t, r, err); got != string(sent) {
						t.Fatalf("size %d%s, length unknown %v: %d bytes came back, changed", size, query, unknown, len(got))
					}
				}
			}
		}
	})
}

func TestForwardingFieldsAreTheEdgesOwn(t *testing.T) {
	t.Parallel()
	f := start(t, settings{}, backend(t, func(w http.ResponseWriter, r *http.Request) {
		h := r.Header.Clone()
		h.Set("Host", r.Host)
		json.NewEncoder(w).Encode(h)
	}))
	each(t, f, func(t *testing.T, c *http.Client, protocol string) {
		q, _ := http.NewRequest("GET", "https://a.localhost/", nil)
		for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "X-Real-Ip", "Forwarded"} {
			q.Header.Set(name, "forged")
		}
		q.Header.Set("Traceparent", "forged")
		q.Header.Set("Tracestate", "forged=1")
		q.Header.Set("Proxy-Authorization", "secret")
		q.Header.Set("X-Kept", "yes")
		var got http.Header
		r, err := c.Do(q)
		check(t, json.Unmarshal([]byte(body(t, r, err)), &got))
		want := map[string]string{
			"Host": "a.localhost", "X-Forwarded-For": "127.0.0.1", "X-Real-Ip": "127.0.0.1", "X-Forwarded-Proto": "https",
			"X-Forwarded-Host": "a.localhost", "X-Forwarded-Port": "", "Forwarded": "", "Tracestate": "", "Proxy-Authorization": "",
			"X-Kept": "yes", "Via": strings.TrimPrefix(protocol, "HTTP/") + " edge",
		}
		for name, value := range want {
			if strings.Join(got[name], "|") != value {
				t.Errorf("%s: %q, want %q", name, got[name], value)
			}
		}
		if p := got.Get("Traceparent"); len(p) != 55 || strings.Contains(p, "forged") {
			t.Errorf("traceparent %q", p)
		}
	})
}

func TestAValidTraceIsContinued(t *testing.T) {
	t.Parallel()
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	f := start(t, settings{}, backend(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Header.Get("Traceparent")+" "+r.Header.Get("Tracestate"))
	}))
	each(t, f, func(t *testing.T, c *http.Client, _ string) {
		q, _ := http.NewRequest("GET", "https://a.localhost/", nil)
		q.Header.Set("Traceparent", parent)
		q.Header.Set("Tracestate", "k=v")
		r, err := c.Do(q)
		if got := body(t, r, err); got != parent+" k=v" {
			t.Errorf("got %q", got)
		}
	})
}

func TestUnknownHostIsMisdirectedAndUnknownPathNotFound(t *testing.T) {
	t.Parallel()
	f := start(t, settings{routes: `
upstreams: {app: {address: "${EDGE_UPSTREAM_APP}"}}
hosts:
  - names: [a.localhost]
    routes: [{path: /app/, upstream: app}, {path: /exact, upstream: app}]
`}, backend(t, echoName("app")))
	each(t, f, func(t *testing.T, c *http.Client, _ string) {
		for url, status := range map[string]int{
			"https://a.localhost/app/x": 200, "https://a.localhost/exact": 200, "https://a.localhost/%61pp/x": 200,
			"https://a.localhost/": 404, "https://a.localhost/exact/more": 404, "https://a.localhost/app%2Fx": 404,
			"https://b.localhost/app/x": 421, "https://a.localhost/app/%2e%2e/secret": 400,
		} {
			r, err := c.Get(url)
			text := body(t, r, err)
			if r.StatusCode != status {
				t.Errorf("%s: %d, want %d", url, r.StatusCode, status)
			}
			if status >= 400 && (r.Header.Get("Content-Type") != "application/problem+json" || !json.Valid([]byte(text))) {
				t.Errorf("%s: no problem but %q %q", url, r.Header.Get("Content-Type"), text)
			}
		}
	})
}

func TestPlainHTTPIsRedirected(t *testing.T) {
	t.Parallel()
	f := start(t, settings{}, backend(t, echoName("app")))
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer c.CloseIdleConnections()
	q, _ := http.NewRequest("GET", "http://"+f.http+"/tcp%2Fip?q=1", nil)
	q.Host = "A.localhost:8088"
	r, err := c.Do(q)
	body(t, r, err)
	if got := r.Header.Get("Location"); r.StatusCode != 308 || got != "https://a.localhost:8443/tcp%2Fip?q=1" {
		t.Errorf("%d to %q", r.StatusCode, got)
	}
	q.Host = "evil.example"
	r, err = c.Do(q)
	body(t, r, err)
	if r.StatusCode != 421 {
		t.Errorf("a host that is not ours was answered with %d", r.StatusCode)
	}
}

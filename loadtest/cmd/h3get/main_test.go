package main

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/quic-go/quic-go/http3"
	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/internal/certs/certstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve starts an HTTP/3 server with a certificate for example.com and returns its
// address and the file of its authority.
func serve(t *testing.T) (addr, caFile string) {
	t.Helper()
	ca := certstest.New(t)
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http3.Server{TLSConfig: http3.ConfigureTLSConfig(ca.Server("example.com")),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/missing" {
				w.WriteHeader(http.StatusNotFound)
			}
			w.Header().Set("X-Proto", r.Proto)
			_, _ = io.WriteString(w, r.Header.Get("Accept")+" dog")
		})}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(udp) }()
	t.Cleanup(func() { _ = server.Close(); _ = udp.Close(); <-done })
	return udp.LocalAddr().String(), ca.File
}

func get(t *testing.T, args ...string) (int, string, string) {
	t.Helper()
	var out, errs bytes.Buffer
	code := run(t.Context(), args, &out, &errs)
	return code, out.String(), errs.String()
}

func TestAPageComesOverHTTP3FromAVerifiedServer(t *testing.T) {
	addr, ca := serve(t)
	code, out, errs := get(t, "-i", "-v", "-H", "Accept: text/plain", "--cacert", ca, "--connect", addr, "https://example.com/dog")
	if code != 0 || !strings.HasPrefix(out, "HTTP/3.0 200 OK\n") || !strings.HasSuffix(out, "\n\ntext/plain dog") || !strings.Contains(errs, "TLS 1.3") {
		t.Errorf("status %d\n%s%s", code, out, errs)
	}
}

func TestFailuresHaveTheirOwnStatus(t *testing.T) {
	addr, ca := serve(t)
	for name, c := range map[string]struct {
		want int
		args []string
	}{
		"an error answer":    {22, []string{"--cacert", ca, "--connect", addr, "https://example.com/missing"}},
		"another authority":  {1, []string{"--connect", addr, "https://example.com/"}},
		"another name":       {1, []string{"--cacert", ca, "--connect", addr, "https://dictionary.localhost/"}},
		"no such authority":  {1, []string{"--cacert", ca + ".none", "--connect", addr, "https://example.com/"}},
		"plain http":         {2, []string{"http://example.com/"}},
		"no URL":             {2, nil},
		"a field without :":  {2, []string{"-H", "nonsense", "https://example.com/"}},
		"help is no success": {2, []string{"--help"}},
	} {
		if code, out, errs := get(t, c.args...); code != c.want {
			t.Errorf("%s: status %d, want %d\n%s%s", name, code, c.want, out, errs)
		}
	}
}

func TestLocalhostNamesAreDialledOnLoopback(t *testing.T) {
	for addr, want := range map[string]string{"dictionary.localhost:8443": "127.0.0.1:8443", "example.com:443": "example.com:443"} {
		if got := (request{}).dialled(addr); got != want {
			t.Errorf("%s: %s, want %s", addr, got, want)
		}
	}
}

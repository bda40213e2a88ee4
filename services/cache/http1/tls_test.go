package http1

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"

	"github.com/flotilla-dev/flotilla/internal/certs/certstest"
)

func TestResponsesOverTLSAreWhole(t *testing.T) {
	ca := certstest.New(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Log: slog.New(slog.DiscardHandler), Handler: echo{func(c *Conn) {
		var n int
		_, _ = fmt.Sscanf(c.Request.Path, "/%d", &n)
		body := bytes.Repeat([]byte("x"), n)
		if c.Request.Query == "stream" {
			_ = c.Stream(200, c.Begin(200), Unknown)
			_, _ = c.Write(body)
			_ = c.Finish(nil)
			return
		}
		_ = c.Send(200, AppendField(c.Begin(200), "X-A", "b"), body)
	}}}
	done := make(chan error, 1)
	go func() { done <- s.Serve(tls.NewListener(ln, ca.Server())) }()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: ca.Client("")}}
	for _, n := range []int{0, 1000, 16 << 10, 16<<10 + 1, 1 << 20} {
		for _, query := range []string{"", "?stream"} {
			resp, err := client.Get(fmt.Sprintf("https://%s/%d%s", ln.Addr(), n, query))
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || len(b) != n || resp.StatusCode != http.StatusOK {
				t.Errorf("%d%s: %d bytes, %v", n, query, len(b), err)
			}
		}
	}
	client.CloseIdleConnections()
	_ = s.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

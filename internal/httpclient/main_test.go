package httpclient_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/internal/httpclient"
	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/internal/upstream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is the one deadline of a test that waits for something to happen.
const patience = 20 * time.Second

// newClient returns a client that retries without waiting.
func newClient(t testing.TB, o httpclient.Options) *http.Client {
	t.Helper()
	if o.Name == "" {
		o.Name = "test"
	}
	if o.Retry == (retry.Settings{}) {
		o.Retry = retry.Settings{Limits: retry.Limits{RetryAttempts: 3, RetryMinPerSecond: 1000, RetryBurst: 1000}}
	}
	client, err := httpclient.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	return client
}

func serve(t testing.TB, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	server.Start()
	t.Cleanup(server.Close)
	return server
}

func newPool(t testing.TB, o upstream.Options, addrs ...string) *upstream.Pool {
	t.Helper()
	address, err := upstream.Parse(strings.Join(addrs, ","))
	if err != nil {
		t.Fatal(err)
	}
	o.Name, o.Address = "test", address
	pool, err := upstream.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return pool
}

func addr(s *httptest.Server) string { return s.Listener.Addr().String() }

// do makes a call and reads the answer.
func do(t testing.TB, client *http.Client, r *http.Request) (status int, content string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	response, err := client.Do(r.WithContext(ctx))
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	return response.StatusCode, string(b), err
}

func newRequest(t testing.TB, method, url, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

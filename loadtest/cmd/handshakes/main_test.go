package main

import (
	"net/http/httptest"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/internal/certs/certstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestFullHandshakesAreCounted(t *testing.T) {
	ca := certstest.New(t)
	server := httptest.NewUnstartedServer(nil)
	server.TLS = ca.Server("example.com")
	server.StartTLS()
	defer server.Close()
	r, err := run(server.Listener.Addr().String(), "example.com", ca.File, 4, 200*time.Millisecond)
	if err != nil || r.Ops == 0 || r.Errors != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := run(server.Listener.Addr().String(), "elsewhere.localhost", ca.File, 1, time.Millisecond); err == nil {
		t.Error("another name was accepted")
	}
}

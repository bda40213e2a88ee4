package main

import (
	"context"
	"net/http/httptest"
	"testing"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/internal/await"
	"github.com/flotilla-dev/flotilla/internal/certs/certstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTheAttackHoldsItsConnectionsUntilItIsTold(t *testing.T) {
	ca := certstest.New(t)
	server := httptest.NewUnstartedServer(nil)
	server.TLS = ca.Server("example.com")
	server.StartTLS()
	defer server.Close()
	a := &attack{addr: server.Listener.Addr().String(), name: "example.com", n: 20, from: 5}
	if err := a.prepare(ca.File); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); a.run(ctx) }()
	await.That(t, "all connections are held", func() bool { return a.most.Load() == 20 })
	cancel()
	<-done
	if a.most.Load() != 20 || a.held.Load() != 0 {
		t.Errorf("held %d, most %d", a.held.Load(), a.most.Load())
	}
}

func TestOnlyLoopbackIsAttacked(t *testing.T) {
	for _, addr := range []string{"192.0.2.1:443", "example.com:443", "127.0.0.1"} {
		if err := (&attack{addr: addr, n: 1, from: 1}).prepare(""); err == nil {
			t.Errorf("%s: no error", addr)
		}
	}
}

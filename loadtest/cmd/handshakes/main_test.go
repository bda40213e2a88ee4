package main

import (
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestFullHandshakesAreCounted(t *testing.T) {
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	ca := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := run(server.Listener.Addr().String(), "example.com", ca, 4, 200*time.Millisecond)
	if err != nil || r.Ops == 0 || r.Errors != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := run(server.Listener.Addr().String(), "elsewhere.localhost", ca, 1, time.Millisecond); err == nil {
		t.Error("another name was accepted")
	}
}

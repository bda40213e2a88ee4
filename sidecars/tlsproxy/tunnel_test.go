package tlsproxy

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/internal/await"
)

const upgrade = "GET /socket HTTP/1.1\r\nHost: legacy\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"

// socket accepts every upgrade, sends a line back for each, and "bye" when the
// client has said all.
func socket(w http.ResponseWriter, _ *http.Request) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	for {
		line, err := buffered.ReadString('\n')
		if err != nil {
			break
		}
		_, _ = io.WriteString(conn, "echo "+line)
	}
	_, _ = io.WriteString(conn, "bye")
}

func TestAnUpgradedConnectionGoesBothWaysAndEndsByHalves(t *testing.T) {
	t.Parallel()
	r := before(t, http.HandlerFunc(socket), nil)
	resp, conn, reader := r.ask(upgrade)
	if resp.StatusCode != 101 || !strings.EqualFold(resp.Header.Get("Upgrade"), "websocket") {
		t.Fatalf("%s %v", resp.Status, resp.Header)
	}
	for _, line := range []string{"one\n", "two\n"} {
		if _, err := io.WriteString(conn, line); err != nil {
			t.Fatal(err)
		}
		if got, err := reader.ReadString('\n'); err != nil || got != "echo "+line {
			t.Fatalf("%q, %v", got, err)
		}
	}
	if got := r.metric("tlsproxy_upgraded_connections"); got != "1" {
		t.Errorf("%q tunnels are counted", got)
	}
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(reader); err != nil || string(rest) != "bye" {
		t.Errorf("after the client has said all: %q, %v", rest, err)
	}
	await.That(t, "the tunnel is gone", func() bool { return r.metric("tlsproxy_upgraded_connections") == "0" })
}

func TestASilentTunnelEnds(t *testing.T) {
	t.Parallel()
	r := before(t, http.HandlerFunc(socket), map[string]string{"TLSPROXY_UPGRADE_IDLE": "2s"})
	_, conn, reader := r.ask(upgrade)
	for range 6 { // each of them within the limit, all of them together not
		time.Sleep(500 * time.Millisecond)
		if _, err := io.WriteString(conn, "alive\n"); err != nil {
			t.Fatal(err)
		}
		if got, err := reader.ReadString('\n'); err != nil || got != "echo alive\n" {
			t.Fatalf("%q, %v", got, err)
		}
	}
	if _, err := io.Copy(io.Discard, reader); err != nil && strings.Contains(err.Error(), "timeout") {
		t.Errorf("the tunnel does not end: %v", err)
	}
}

func TestATunnelOutlivesTheDrainByNothing(t *testing.T) {
	t.Parallel()
	r := before(t, http.HandlerFunc(socket), map[string]string{"DRAIN_TIMEOUT": "100ms"})
	_, _, reader := r.ask(upgrade)
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	if _, err := io.Copy(io.Discard, reader); err != nil && strings.Contains(err.Error(), "timeout") {
		t.Errorf("the tunnel is still open: %v", err)
	}
}

func TestARequestInFlightIsAnsweredWhileDraining(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}), make(chan struct{})
	r := before(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { close(entered); <-release; hello(w, nil) }), nil)
	conn, reader := r.dial()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: legacy\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-entered
	stopped := make(chan error, 1)
	go func() { stopped <- r.stop() }()
	await.That(t, "the listener is closed", func() bool { return !accepts(r.addr) })
	close(release)
	resp, err := http.ReadResponse(bufio.NewReader(reader), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "hello" {
		t.Errorf("%q, %v", body, err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

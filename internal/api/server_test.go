package api_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/internal/api"
)

// listening starts a server and returns a connection to it that was accepted,
// and the function that shuts the server down and returns its error.
func listening(t *testing.T, h http.Handler) (net.Conn, func(context.Context) <-chan error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan struct{}, 1)
	srv := api.Server(h)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(announcing{ln, accepted}) }()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	<-accepted
	t.Cleanup(func() { c.Close(); srv.Close(); <-served })
	return c, func(ctx context.Context) <-chan error {
		done := make(chan error, 1)
		go func() { done <- srv.Shutdown(ctx) }()
		for { // the listener is closed first
			probe, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				return done
			}
			probe.Close()
		}
	}
}

type announcing struct {
	net.Listener
	accepted chan<- struct{}
}

func (a announcing) Accept() (net.Conn, error) {
	c, err := a.Listener.Accept()
	if err == nil {
		select {
		case a.accepted <- struct{}{}:
		default:
		}
	}
	return c, err
}

func TestRequestOnAnAcceptedConnectionIsAnsweredWhileShuttingDown(t *testing.T) {
	c, shutdown := listening(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "here") }))
	done := shutdown(t.Context())
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatalf("the request was dropped: %v", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != 200 || !resp.Close {
		t.Errorf("status %d, close %v; want 200 and the advice to close", resp.StatusCode, resp.Close)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestSilentConnectionHoldsShutdownOnlyForAMoment(t *testing.T) {
	_, shutdown := listening(t, http.NotFoundHandler())
	select {
	case <-shutdown(t.Context()):
	case <-time.After(20 * time.Second):
		t.Error("a connection without a request holds the server")
	}
}

func TestShutdownGivesUpWithItsContext(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	c, shutdown := listening(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { close(entered); <-release }))
	defer close(release)
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-entered
	ctx, cancel := context.WithCancel(t.Context())
	done := shutdown(ctx)
	cancel()
	if err := <-done; err == nil {
		t.Error("no error though a request was under way")
	}
}

package edge_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/internal/await"
)

// loris opens connections from the addresses that hold a request's head back:
// some do not even begin the handshake, some end it and dribble.
func loris(t *testing.T, f *fixture, n int, from func(int) string) {
	t.Helper()
	var all sync.WaitGroup
	gate := make(chan struct{}, 32)
	for i := range n {
		gate <- struct{}{}
		all.Go(func() {
			defer func() { <-gate }()
			dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from(i))}, Timeout: patience}
			c, err := dialer.Dial("tcp", f.https)
			if err != nil {
				t.Error(err)
				return
			}
			t.Cleanup(func() { c.Close() })
			if i%2 == 0 {
				return
			}
			secure := tls.Client(c, &tls.Config{InsecureSkipVerify: true})
			if c.SetDeadline(time.Now().Add(patience)) != nil || secure.Handshake() != nil {
				return // already thrown out: that is what it is about
			}
			fmt.Fprint(secure, "GET / HTTP/1.1\r\nHost: a.localhost\r\nX-")
		})
	}
	all.Wait()
}

// users makes requests over new and kept connections and returns how many failed.
func users(t *testing.T, f *fixture, n int) (failed int64) {
	t.Helper()
	var all sync.WaitGroup
	var bad atomic.Int64
	for range 4 {
		kept := f.client(false)
		all.Go(func() {
			for i := range n / 4 {
				client := kept
				if i%5 == 0 {
					client = f.client(i%2 == 0)
				}
				r, err := client.Get("https://a.localhost/")
				if err != nil || r.StatusCode != 200 {
					bad.Add(1)
				}
				if err == nil {
					io.Copy(io.Discard, r.Body)
					r.Body.Close()
				}
				if client != kept {
					client.CloseIdleConnections()
				}
			}
		})
	}
	all.Wait()
	return bad.Load()
}

func TestAThousandSlowConnectionsStopNobody(t *testing.T) {
	for name, c := range map[string]struct {
		env  map[string]string
		from func(int) string
	}{
		"one address with room for all":    {nil, func(int) string { return "127.0.0.2" }},
		"one address, the users' own, cut": {map[string]string{"EDGE_CONNECTIONS_PER_ADDRESS": "100"}, func(int) string { return "127.0.0.1" }},
		"a hundred addresses, total cut":   {map[string]string{"EDGE_CONNECTIONS": "200"}, func(i int) string { return fmt.Sprintf("127.0.1.%d", 1+i%100) }},
	} {
		t.Run(name, func(t *testing.T) {
			f := start(t, settings{env: c.env}, backend(t, func(http.ResponseWriter, *http.Request) {}))
			loris(t, f, 1000, c.from)
			if failed := users(t, f, 400); failed > 0 {
				t.Errorf("%d of 400 requests failed", failed)
			}
		})
	}
}

func TestConnectionsBeyondTheBoundAreRefusedOnlyWhenAllAreBusy(t *testing.T) {
	t.Parallel()
	goOn, began := make(chan struct{}), make(chan struct{}, 2)
	f := start(t, settings{env: map[string]string{"EDGE_CONNECTIONS": "2"}}, backend(t, func(http.ResponseWriter, *http.Request) {
		began <- struct{}{}
		<-goOn
	}))
	one, two := f.dial(), f.dial()
	for _, c := range []*tls.Conn{one, two} {
		fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: a.localhost\r\nConnection: close\r\n\r\n")
		<-began
	}
	if c, err := tls.Dial("tcp", f.https, &tls.Config{InsecureSkipVerify: true}); err == nil {
		c.Close()
		t.Error("a third connection was accepted while two were busy")
	}
	close(goOn)
	for _, c := range []*tls.Conn{one, two} {
		if b, err := io.ReadAll(c); err != nil || len(b) == 0 {
			t.Errorf("a busy connection was cut: %v", err)
		}
	}
	await.That(t, "room again", func() bool {
		c, err := tls.Dial("tcp", f.https, &tls.Config{InsecureSkipVerify: true})
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

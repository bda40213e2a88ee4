package httpclient_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/internal/httpclient"
	"github.com/flotilla-dev/flotilla/internal/nettest"
	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/internal/upstream"
)

var poolOptions = upstream.Options{
	Policy: upstream.RoundRobin,
	Health: upstream.Health{EjectAfter: 3, EjectBase: time.Hour, EjectMax: time.Hour, EjectShare: 0.5},
}

func instance(t testing.TB, name string) string {
	t.Helper()
	return addr(serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, name+" as "+r.Host) }))
}

func TestDeadAndBrokenReplicasAreNotNoticed(t *testing.T) {
	broken := nettest.Serve(t, func(c net.Conn) {
		nettest.ReadHead(c)
		_ = c.(*net.TCPConn).SetLinger(0)
	})
	pool := newPool(t, poolOptions, nettest.Refuse(t), broken, instance(t, "alive"))
	client := newClient(t, httpclient.Options{Pool: pool})
	for range 30 {
		status, content, err := do(t, client, newRequest(t, "GET", "http://dictionary/dog", ""))
		if err != nil || status != 200 || content != "alive as dictionary" {
			t.Fatalf("%d %q %v", status, content, err)
		}
	}
	s := pool.Snapshot()
	ejected := 0
	for _, e := range s.Endpoints {
		if e.InFlight != 0 {
			t.Errorf("%s still has %d in flight", e.Name, e.InFlight)
		}
		if e.EjectedUntil != nil {
			ejected++
		}
	}
	if ejected != 1 || s.Endpoints[2].EjectedUntil != nil { // half of three is one
		t.Errorf("%d ejected: %+v", ejected, s)
	}
}

func TestReplicaThatBreaksOffBodiesIsEjected(t *testing.T) {
	cut := nettest.Serve(t, func(c net.Conn) {
		nettest.ReadHead(c)
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")
	})
	pool := newPool(t, poolOptions, cut, instance(t, "alive"))
	client := newClient(t, httpclient.Options{Pool: pool})
	failed := 0
	for range 20 {
		if _, _, err := do(t, client, newRequest(t, "GET", "http://d", "")); err != nil {
			failed++ // the head was with the caller already: no retry mends that
		}
	}
	if failed != 3 {
		t.Errorf("%d broken answers reached the caller, want 3 until the ejection", failed)
	}
}

func TestSlowReplicaCostsOneHeaderTimeout(t *testing.T) {
	slow := addr(serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	pool := newPool(t, poolOptions, slow, instance(t, "alive"))
	client := newClient(t, httpclient.Options{Pool: pool, HeaderTimeout: 30 * time.Millisecond})
	for range 4 {
		if status, _, err := do(t, client, newRequest(t, "GET", "http://d", "")); status != 200 {
			t.Fatalf("%d %v", status, err)
		}
	}
	if n := pool.Snapshot().Endpoints[0].Outcomes["timeout"]; n == 0 {
		t.Error("the pool heard of no time-out")
	}
}

func TestCallerWhoGivesUpIsNoFailureOfTheReplica(t *testing.T) {
	entered := make(chan struct{}, 8)
	hung := addr(serve(t, func(_ http.ResponseWriter, r *http.Request) { entered <- struct{}{}; <-r.Context().Done() }))
	pool := newPool(t, poolOptions, hung)
	r, cancel := cancelable(t, "http://d")
	go func() { <-entered; cancel() }()
	if _, _, err := do(t, newClient(t, httpclient.Options{Pool: pool}), r); err == nil {
		t.Fatal("no error")
	}
	if s := pool.Snapshot().Endpoints[0]; s.Outcomes["canceled"] != 1 || s.InFlight != 0 {
		t.Errorf("%+v", s)
	}
}

func TestNoUpstreamIsSaidAtOnceOrAwaited(t *testing.T) {
	checked := upstream.Options{Intervals: upstream.Intervals{CheckInterval: time.Second}}
	pool := newPool(t, checked, "127.0.0.1:1/1")
	_, _, err := do(t, newClient(t, httpclient.Options{Pool: pool}), newRequest(t, "GET", "http://d", "x"))
	if !errors.Is(err, upstream.ErrNoUpstream) {
		t.Errorf("%v", err)
	}
	began := time.Now()
	waiting := newClient(t, httpclient.Options{Pool: pool, WaitUpstream: 30 * time.Millisecond})
	_, _, err = do(t, waiting, newRequest(t, "GET", "http://d", "x"))
	if !errors.Is(err, upstream.ErrNoUpstream) || time.Since(began) < 30*time.Millisecond {
		t.Errorf("%v after %s", err, time.Since(began))
	}
}

// One replica that restarts: there is no other one, so it is asked again.
func TestOnlyReplicaIsAskedAgain(t *testing.T) {
	s := &script{statuses: []int{503, 503, 200}}
	pool := newPool(t, poolOptions, addr(serve(t, s.ServeHTTP)))
	if status, _, err := do(t, newClient(t, httpclient.Options{Pool: pool}), newRequest(t, "GET", "http://d", "")); status != 200 {
		t.Errorf("%d %v", status, err)
	}
}

func TestRetryAfterOfOneReplicaDoesNotDelayAnother(t *testing.T) {
	s := &script{statuses: []int{503}, header: http.Header{"Retry-After": {"3600"}}}
	pool := newPool(t, poolOptions, addr(serve(t, s.ServeHTTP)), instance(t, "alive"))
	client := newClient(t, httpclient.Options{Pool: pool})
	for range 2 {
		if status, _, err := do(t, client, newRequest(t, "GET", "http://d", "")); status != 200 {
			t.Errorf("%d %v", status, err)
		}
	}
	if len(s.bodies) != 1 {
		t.Errorf("the busy replica was asked %d times", len(s.bodies))
	}
}

func TestKeyChoosesTheReplica(t *testing.T) {
	pool := newPool(t, poolOptions, instance(t, "a"), instance(t, "b"), instance(t, "c"))
	client := newClient(t, httpclient.Options{Pool: pool, Key: func(r *http.Request) string { return r.Header.Get("Session") }})
	for _, session := range []string{"s-1", "s-2", "s-3", "s-4"} {
		var first string
		for i := range 5 {
			r := newRequest(t, "GET", "http://d", "")
			r.Header.Set("Session", session)
			_, content, err := do(t, client, r)
			if err != nil || i > 0 && content != first {
				t.Fatalf("%s moved from %q to %q, %v", session, first, content, err)
			}
			first = content
		}
	}
}

func BenchmarkCall(b *testing.B) {
	var calls atomic.Int64
	server := serve(b, func(w http.ResponseWriter, _ *http.Request) { calls.Add(1); _, _ = io.WriteString(w, "ok") })
	plain := &http.Transport{MaxIdleConnsPerHost: 64}
	b.Cleanup(plain.CloseIdleConnections)
	for name, client := range map[string]*http.Client{
		"net/http": {Transport: plain},
		"pool":     newClient(b, httpclient.Options{Pool: newPool(b, poolOptions, addr(server)), Retry: retry.DefaultSettings()}),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				response, err := client.Get("http://" + addr(server))
				if err != nil {
					b.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, response.Body)
				response.Body.Close()
			}
		})
	}
}

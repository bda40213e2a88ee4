package rig

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/machine"
)

// Origin is an upstream in this process that behaves as told and counts. The
// path /<bytes>/… answers that many bytes, cacheable for an hour unless MaxAge
// says otherwise; /readyz of the same address is always ready.
type Origin struct {
	Delay  time.Duration // before each answer
	Rate   float64       // answers per second, in turn; 0: no limit
	MaxAge string        // value of Cache-Control; "" is "max-age=3600"

	Addr     string
	Requests atomic.Int64

	mu   sync.Mutex // guards next
	next time.Time  // when the next answer is due
}

// Origin starts the origin.
func (g *Rig) Origin(o *Origin) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	o.Addr = ln.Addr().String()
	server := &http.Server{Handler: o, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(ln) // ends by Close
	}()
	g.Defer(func() {
		_ = server.Close()
		<-done
	})
	return nil
}

// Upstream is the origin as the address of an upstream, with its probe.
func (o *Origin) Upstream() string {
	_, port, _ := net.SplitHostPort(o.Addr)
	return o.Addr + "/" + port
}

func (o *Origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/readyz" {
		return
	}
	o.Requests.Add(1)
	if !o.turn(r.Context()) {
		return // the client is gone
	}
	part, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	size, err := strconv.Atoi(part)
	if err != nil || size < 0 || size > 64<<20 {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Length", part)
	h.Set("Cache-Control", "max-age=3600")
	if o.MaxAge != "" {
		h.Set("Cache-Control", o.MaxAge)
	}
	h.Set("Last-Modified", "Wed, 01 Jan 2020 00:00:00 GMT")
	_, _ = w.Write(bytes.Repeat([]byte{'x'}, size)) // a client that is gone needs no answer
}

// turn waits for the answer's turn and then for its delay.
func (o *Origin) turn(ctx context.Context) bool {
	defer machine.Sleep(o.Delay)
	wait := time.Duration(0)
	if o.Rate > 0 {
		o.mu.Lock()
		now := time.Now()
		if o.next.Before(now) {
			o.next = now
		}
		wait = o.next.Sub(now)
		o.next = o.next.Add(time.Duration(float64(time.Second) / o.Rate))
		o.mu.Unlock()
	}
	if wait <= 0 {
		return true
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

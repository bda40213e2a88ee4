package fanout

import (
	"io"
	"net"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"
)

// wire is a connection to Redis that can be cut.
type wire struct {
	l  net.Listener
	to *redis.Options

	mu   sync.Mutex // guards all below
	open map[net.Conn]bool
	dead bool
	all  sync.WaitGroup
}

func cable(t *testing.T, to *redis.Options) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{l: l, to: to, open: map[net.Conn]bool{}}
	w.all.Go(w.accept)
	t.Cleanup(func() { _ = l.Close(); w.cut(); w.all.Wait() })
	return w
}

func (w *wire) options() *redis.Options { return &redis.Options{Addr: w.l.Addr().String()} }

func (w *wire) accept() {
	for {
		from, err := w.l.Accept()
		if err != nil {
			return
		}
		network := w.to.Network
		if network == "" {
			network = "tcp"
		}
		to, err := net.Dial(network, w.to.Addr)
		if err != nil || !w.keep(from, to) {
			_ = from.Close()
			if to != nil {
				_ = to.Close()
			}
			continue
		}
		w.all.Go(func() { w.copy(from, to) })
		w.all.Go(func() { w.copy(to, from) })
	}
}

func (w *wire) copy(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	_ = to.Close()
	_ = from.Close()
}

func (w *wire) keep(conns ...net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range conns {
		w.open[c] = true
	}
	return !w.dead
}

func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dead = true
	for c := range w.open {
		_ = c.Close()
	}
	clear(w.open)
}

func (w *wire) mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dead = false
}

package edge

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flotilla-dev/flotilla/internal/guard"
)

// A lateListener accepts its one connection at the moment in which it is closed.
type lateListener struct {
	conn   net.Conn
	waits  chan struct{}
	closed chan struct{}
	once   sync.Once
	given  bool
}

func (l *lateListener) Accept() (net.Conn, error) {
	if l.given {
		return nil, net.ErrClosed
	}
	l.given = true
	close(l.waits)
	<-l.closed
	return l.conn, nil
}

func (l *lateListener) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *lateListener) Addr() net.Addr { return l.conn.LocalAddr() }

func TestAConnectionAcceptedWhileTheListenerClosesIsServed(t *testing.T) {
	client, accepted := net.Pipe()
	defer client.Close()
	cfg := &Config{IdleTimeout: time.Minute, HeaderTimeout: time.Minute, WriteTimeout: time.Minute, HeaderLimit: 1 << 10}
	e := &edge{cfg: cfg, limits: cfg.front(),
		log: slog.New(slog.DiscardHandler), guard: guard.New(1, 1), metrics: newMetrics(prometheus.NewRegistry())}
	ln := &lateListener{conn: accepted, waits: make(chan struct{}), closed: make(chan struct{})}
	s := newServer(e, nil)
	served, down := make(chan error, 1), make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	<-ln.waits
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	go func() { down <- s.Shutdown(ctx) }()
	if _, err := io.WriteString(client, "no request\r\n\r\n"); err != nil {
		t.Errorf("the connection was closed: %v", err)
	}
	if r, err := http.ReadResponse(bufio.NewReader(client), nil); err != nil || r.StatusCode != 400 {
		t.Errorf("%v, %v", r, err)
	}
	client.Close()
	if err := <-down; err != nil {
		t.Error(err)
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
}

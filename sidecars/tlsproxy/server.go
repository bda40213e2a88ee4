package tlsproxy

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/net/netutil"

	"github.com/flotilla-dev/flotilla/internal/certs"
)

// streams is how many requests an HTTP/2 connection may have in progress.
const streams = 250

// server serves HTTP/1.1 and HTTP/2 over TLS.
type server struct {
	http        *http.Server
	tls         *tls.Config
	connections int
	tunnels     *tunnels
	cutOff      context.CancelFunc // ends what is in progress
}

func newServer(cfg *Config, log *slog.Logger, store *certs.Store, t *tunnels, h http.Handler) *server {
	ctx, cancel := context.WithCancel(context.Background())
	return &server{
		tls: store.Server("h2", "http/1.1"), connections: cfg.Connections, tunnels: t, cutOff: cancel,
		http: &http.Server{
			Handler:           h,
			BaseContext:       func(net.Listener) context.Context { return ctx },
			ReadHeaderTimeout: cfg.HeaderTimeout, // bounds the handshake too; bodies have limits of their own
			IdleTimeout:       cfg.IdleTimeout,
			MaxHeaderBytes:    int(cfg.HeaderLimit),
			HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: streams},
			ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug), // handshakes of strangers
		},
	}
}

// Serve accepts connections until Shutdown.
func (s *server) Serve(ln net.Listener) error {
	// TLS goes outermost: HTTP/2 is spoken only on what is a *tls.Conn.
	return s.http.Serve(tls.NewListener(netutil.LimitListener(ln, s.connections), s.tls))
}

// Shutdown stops accepting and waits for requests and tunnels until ctx ends.
func (s *server) Shutdown(ctx context.Context) error {
	return errors.Join(s.http.Shutdown(ctx), s.tunnels.wait(ctx))
}

// Close ends everything at once.
func (s *server) Close() error {
	s.cutOff()
	err := s.http.Close()
	s.tunnels.open.Wait()
	return err
}

// tunnels counts upgraded connections, which http.Server forgets.
type tunnels struct {
	open  sync.WaitGroup
	gauge prometheus.Gauge
}

func (t *tunnels) enter() { t.open.Add(1); t.gauge.Inc() }
func (t *tunnels) leave() { t.open.Done(); t.gauge.Dec() }

// wait returns when no tunnel is open, or when ctx ends: then somebody has to
// close them.
func (t *tunnels) wait(ctx context.Context) error {
	none := make(chan struct{})
	go func() { defer close(none); t.open.Wait() }()
	select {
	case <-none:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

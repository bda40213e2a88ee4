package edge

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/flotilla-dev/flotilla/internal/front"
)

// A server gives each TCP connection to its protocol: after a TLS handshake the
// one that ALPN agreed on, without TLS to the redirects. It is a process.Server.
type server struct {
	*edge
	front.Server
	tls   *tls.Config // nil: plain HTTP
	h2    *http.Server
	h2l   *handover
	h2run sync.WaitGroup

	beside *quicServer // shut down with this server, if any
}

// newServer returns a server; without TLS settings it redirects.
func newServer(e *edge, config *tls.Config) *server {
	s := &server{edge: e, tls: config}
	s.Guard, s.Log, s.Handle = e.guard, e.log, s.handle
	s.Closing = func() { e.closing.Store(true) }
	if config == nil {
		return s
	}
	s.h2l = newHandover()
	s.h2 = &http.Server{
		Handler:        &handler{e, http2},
		IdleTimeout:    e.cfg.IdleTimeout,
		MaxHeaderBytes: int(e.cfg.HeaderLimit),
		ConnState:      seatState,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			shared := &session{}
			if secure, ok := c.(*tls.Conn); ok {
				shared.peer, shared.sni = newPeer(front.Remote(c.RemoteAddr()), e.trusted), serverName(secure.ConnectionState())
			}
			return withSession(ctx, shared)
		},
		ErrorLog: slog.NewLogLogger(e.log.Handler(), slog.LevelDebug),
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: e.cfg.Streams,
			SendPingTimeout:      e.cfg.WriteTimeout,
			PingTimeout:          e.cfg.WriteTimeout,
		},
	}
	return s
}

// Serve accepts connections until Shutdown.
func (s *server) Serve(ln net.Listener) error {
	if s.h2 != nil {
		s.h2run.Go(func() { _ = s.h2.Serve(s.h2l) }) // ends by Shutdown or Close, and only so
	}
	return s.Server.Serve(ln)
}

// Shutdown stops accepting, asks clients to leave, and waits for requests in
// progress until ctx ends.
func (s *server) Shutdown(ctx context.Context) error {
	s.StopAdmitting(ctx)
	var others sync.WaitGroup
	if s.h2 != nil {
		others.Go(func() { _ = s.h2.Shutdown(ctx) }) // GOAWAY; what is late is closed below
	}
	if s.beside != nil {
		others.Go(func() {
			if err := s.beside.shutdown(ctx); err != nil {
				s.log.Warn("HTTP/3 not closed", "error", err)
			}
		})
	}
	err := s.Drain(ctx)
	others.Wait()
	_ = s.Close() // never fails
	return err
}

// Close closes everything at once and waits for the goroutines.
func (s *server) Close() error {
	if s.h2 != nil {
		_ = s.h2.Close() // its listener is ours, and closing that cannot fail
	}
	err := s.Server.Close()
	s.h2run.Wait()
	return err
}

// handle serves a connection, or hands it on to who closes it.
func (s *server) handle(c *front.Seated, _ *tls.Conn) {
	p := newPeer(c.Addr, s.trusted)
	if s.tls == nil {
		newConn(s.edge, c, nil, p, "").serve()
		return
	}
	secure := tls.Server(c, s.tls)
	state, err := s.handshake(secure)
	if err != nil {
		s.metrics.handshakes.WithLabelValues("failed").Inc()
		s.log.Debug("handshake failed", "client", p.text, "error", err)
		secure.Close()
		return
	}
	if state.NegotiatedProtocol == "h2" {
		c.Through(newCork(c.Conn, s.cfg.WriteTimeout))
		s.h2l.give(secure)
		return
	}
	newConn(s.edge, c, secure, p, serverName(state)).serve()
}

func (s *server) handshake(c *tls.Conn) (tls.ConnectionState, error) {
	if err := c.SetDeadline(time.Now().Add(s.cfg.HandshakeTimeout)); err != nil {
		return tls.ConnectionState{}, err
	}
	if err := c.Handshake(); err != nil {
		return tls.ConnectionState{}, err
	}
	state := c.ConnectionState()
	result := "full"
	if state.DidResume {
		result = "resumed"
	}
	s.metrics.handshakes.WithLabelValues(result).Inc()
	return state, c.SetDeadline(time.Time{})
}

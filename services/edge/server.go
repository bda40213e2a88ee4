package edge

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// A server accepts TCP connections and gives each to its protocol: after a TLS
// handshake the one that ALPN agreed on, without TLS to the redirects. It is a
// process.Server.
type server struct {
	*edge
	tls *tls.Config // nil: plain HTTP
	h2  *http.Server
	h2l *handover

	beside *quicServer // shut down with this server, if any
	hold   func()      // waits before the first connection is accepted; nil: at once

	mu        sync.Mutex // guards all below
	listener  net.Listener
	accepting chan struct{} // closed when no connection is accepted any more; nil: none ever was
	conns     map[*seatedConn]struct{}
	down      bool // no connection is served any more but those in conns
	serving   sync.WaitGroup
}

// newServer returns a server; without TLS settings it redirects.
func newServer(e *edge, config *tls.Config) *server {
	s := &server{edge: e, tls: config, conns: map[*seatedConn]struct{}{}}
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
				shared.peer, shared.sni = newPeer(remote(c.RemoteAddr()), e.trusted), serverName(secure.ConnectionState())
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
	s.mu.Lock()
	s.listener = ln
	if s.down {
		s.mu.Unlock()
		return errors.Join(http.ErrServerClosed, ln.Close())
	}
	s.accepting = make(chan struct{})
	defer close(s.accepting)
	s.mu.Unlock()
	if s.h2 != nil {
		s.serving.Go(func() { _ = s.h2.Serve(s.h2l) }) // ends by Shutdown, and only so
	}
	if s.hold != nil {
		s.hold()
	}
	var pause time.Duration
	for {
		tcp, err := ln.Accept()
		if err == nil {
			pause = 0
			s.admit(tcp)
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			return http.ErrServerClosed
		}
		// Out of descriptors, most likely: connections that end will free some.
		pause = min(max(2*pause, 5*time.Millisecond), time.Second)
		s.log.Warn("connection not accepted", "error", err, "pause", pause.String())
		time.Sleep(pause)
	}
}

// admit seats a connection and begins to serve it.
func (s *server) admit(tcp net.Conn) {
	addr := remote(tcp.RemoteAddr())
	c := &seatedConn{Conn: tcp, server: s}
	// The guard may close the connection before it is told of its seat.
	seat := s.guard.Admit(addr, func() { tcp.Close() })
	if seat == nil {
		tcp.Close()
		return
	}
	c.seat = seat
	s.mu.Lock()
	if s.down {
		s.mu.Unlock()
		seat.Leave()
		tcp.Close()
		return
	}
	s.conns[c] = struct{}{}
	s.serving.Add(1)
	s.mu.Unlock()
	go func() {
		defer s.serving.Done()
		s.serve(c, newPeer(addr, s.trusted))
	}()
}

func (s *server) serve(c *seatedConn, p peer) {
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
		c.cork = newCork(c.Conn, s.cfg.WriteTimeout)
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

package redis

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/prometheus/client_golang/prometheus"
)

// server serves miniredis on the listener that the process contract opened.
type server struct {
	cfg     Config
	store   *miniredis.Miniredis
	log     *slog.Logger
	memory  *memory
	started time.Time
	refused *prometheus.CounterVec

	mu       sync.Mutex // guards all below
	listener net.Listener
	stopped  bool
}

func newServer(cfg Config, store *miniredis.Miniredis, metrics prometheus.Registerer, log *slog.Logger) (*server, error) {
	// Dial starts miniredis without a listener of its own.
	first, err := store.Dial()
	if err != nil {
		return nil, fmt.Errorf("start store: %w", err)
	}
	if err := first.Close(); err != nil {
		return nil, err
	}
	s := &server{
		cfg: cfg, store: store, log: log, started: time.Now(),
		memory: &memory{limit: uint64(cfg.MaxMemory)},
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "redis_refused_total", Help: "What was refused, by reason: clients, protected, protocol, memory.",
		}, []string{"reason"}),
	}
	for _, reason := range []string{"clients", "protected", "protocol", "memory"} {
		s.refused.WithLabelValues(reason)
	}
	core := store.Server()
	core.SetPreHook(newHook(s).before)
	metrics.MustRegister(s.refused,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "redis_connected_clients", Help: "Open connections."},
			func() float64 { return float64(core.ClientsLen()) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "redis_commands_total", Help: "Commands processed."},
			func() float64 { return float64(core.TotalCommands()) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "redis_connections_total", Help: "Connections accepted."},
			func() float64 { return float64(core.TotalConnections()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "redis_memory_used_bytes", Help: "Live memory of the process."},
			func() float64 { return float64(s.memory.used()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "redis_memory_max_bytes", Help: "Limit of the live memory."},
			func() float64 { return float64(cfg.MaxMemory) }),
	)
	return s, nil
}

// Serve accepts connections until Shutdown.
func (s *server) Serve(ln net.Listener) error {
	if !s.owns(ln) {
		return net.ErrClosed
	}
	core := s.store.Server()
	for {
		conn, err := ln.Accept()
		if err != nil {
			return err // net.ErrClosed after Shutdown, which the caller expects
		}
		if reason, message := s.admit(conn, core.ClientsLen()); reason != "" {
			s.refused.WithLabelValues(reason).Inc()
			refuse(conn, message)
			continue
		}
		core.ServeConn(&guard{Conn: conn, limit: int(s.cfg.MaxCommand), refused: s.refused.WithLabelValues("protocol")})
	}
}

// owns remembers the listener for Shutdown, unless that was called before.
func (s *server) owns(ln net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listener = ln
	return !s.stopped
}

// admit says why a connection is not served, or "".
func (s *server) admit(conn net.Conn, clients int) (reason, message string) {
	if clients >= s.cfg.MaxClients {
		return "clients", "ERR max number of clients reached"
	}
	host, _, _ := net.SplitHostPort(conn.RemoteAddr().String())
	if ip := net.ParseIP(host); bool(s.cfg.Protected) && (ip == nil || !ip.IsLoopback()) {
		return "protected", "DENIED only loopback may connect while REDIS_PROTECTED is on: there is no password"
	}
	return "", ""
}

// refuse answers and closes. A client that does not read is not waited for.
func refuse(conn net.Conn, message string) {
	_ = conn.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
	_, _ = conn.Write([]byte("-" + message + "\r\n"))
	_ = conn.Close()
}

// Shutdown closes the listener and all connections. Clients keep connections
// for ever, so there is nothing to wait for; a command that runs is finished.
func (s *server) Shutdown(context.Context) error {
	s.mu.Lock()
	s.stopped = true
	ln := s.listener
	s.mu.Unlock()
	if ln != nil {
		_ = ln.Close() // ends Serve
	}
	s.store.Close()
	return nil
}

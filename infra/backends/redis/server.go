package redis

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/flotilla-dev/flotilla/internal/tcpserve"
)

// server serves miniredis.
type server struct {
	tcpserve.Server
	cfg     Config
	store   *miniredis.Miniredis
	log     *slog.Logger
	memory  *memory
	started time.Time
	refused *prometheus.CounterVec
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
	s.MaxConns, s.Log, s.Handle = cfg.MaxClients, log, s.serve
	s.Refuse = func(conn net.Conn) { s.refuse(conn, "clients", "ERR max number of clients reached") }
	return s, nil
}

// serve gives a client to miniredis, which closes its connection when it is over.
// Clients keep connections for ever, so a server that is to end waits for no more
// of them than a command that runs.
func (s *server) serve(ctx context.Context, conn net.Conn) {
	if bool(s.cfg.Protected) && !tcpserve.Loopback(conn.RemoteAddr()) {
		s.refuse(conn, "protected", "DENIED only loopback may connect while REDIS_PROTECTED is on: there is no password")
		return
	}
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	g := &guard{Conn: conn, limit: int(s.cfg.MaxCommand), refused: s.refused.WithLabelValues("protocol"), closed: make(chan struct{})}
	s.store.Server().ServeConn(g)
	<-g.closed
}

// refuse says why. A client that does not read is not waited for.
func (s *server) refuse(conn net.Conn, reason, message string) {
	s.refused.WithLabelValues(reason).Inc()
	_ = conn.SetWriteDeadline(time.Now().Add(tcpserve.RefuseTimeout))
	_, _ = conn.Write([]byte("-" + message + "\r\n"))
}

// Shutdown closes the listener and all connections.
func (s *server) Shutdown(ctx context.Context) error {
	s.store.CtxCancel() // wakes those that block
	err := s.Server.Shutdown(ctx)
	s.store.Close()
	return err
}

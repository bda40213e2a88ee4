package memcached

import (
	"context"
	"log/slog"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flotilla-dev/flotilla/internal/tcpserve"
)

// writeTimeout is how long a client may leave its answers unread.
const writeTimeout = 10 * time.Second

// server serves the store.
type server struct {
	tcpserve.Server
	cfg     Config
	store   *store
	refused *prometheus.CounterVec
}

func newServer(cfg Config, st *store, metrics prometheus.Registerer, log *slog.Logger) *server {
	s := &server{
		cfg: cfg, store: st,
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "memcached_refused_total", Help: "Connections that were refused, by reason: clients, protected.",
		}, []string{"reason"}),
	}
	st.stats = stats{conns: &s.Server, maxClients: cfg.MaxClients, started: time.Now()}
	for _, reason := range []string{"clients", "protected"} {
		s.refused.WithLabelValues(reason)
	}
	metrics.MustRegister(s.refused, collector{st, &s.Server})
	s.MaxConns, s.Log, s.Handle = cfg.MaxClients, log, s.serve
	s.Refuse = func(conn net.Conn) { s.refuse(conn, "clients", "ERROR Too many open connections") }
	return s
}

// serve serves one client. Clients keep connections for ever, so a server that is
// to end waits for no more of them than a command that runs.
func (s *server) serve(ctx context.Context, conn net.Conn) {
	if bool(s.cfg.Protected) && !tcpserve.Loopback(conn.RemoteAddr()) {
		s.refuse(conn, "protected", "ERROR only loopback may connect while MEMCACHED_PROTECTED is on: there is no password")
		return
	}
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	_ = newSession(s.store, &patient{conn, s.cfg.IdleTimeout}).run() // a client that goes away is no error
}

// refuse says why. A client that does not read is not waited for.
func (s *server) refuse(conn net.Conn, reason, message string) {
	s.refused.WithLabelValues(reason).Inc()
	_ = conn.SetWriteDeadline(time.Now().Add(tcpserve.RefuseTimeout))
	_, _ = conn.Write([]byte(message + "\r\n"))
}

// patient is a connection that waits for its client, but not for ever.
type patient struct {
	net.Conn
	idle time.Duration // 0: for ever
}

func (p *patient) Read(b []byte) (int, error) {
	if p.idle > 0 {
		_ = p.SetReadDeadline(time.Now().Add(p.idle))
	}
	return p.Conn.Read(b)
}

func (p *patient) Write(b []byte) (int, error) {
	_ = p.SetWriteDeadline(time.Now().Add(writeTimeout))
	return p.Conn.Write(b)
}

package kafka

import (
	"context"
	"errors"
	"log/slog"
	"net"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flotilla-dev/flotilla/internal/tcpserve"
)

// server lets connections of the data listener in to the broker.
type server struct {
	tcpserve.Server
	cfg     Config
	broker  *broker
	refused *prometheus.CounterVec
}

func newServer(cfg Config, b *broker, r prometheus.Registerer, log *slog.Logger) *server {
	s := &server{
		cfg: cfg, broker: b,
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "kafka_refused_total", Help: "Connections that were closed, by reason: clients, protected, protocol."}, []string{"reason"}),
	}
	for _, reason := range []string{"clients", "protected", "protocol"} {
		s.refused.WithLabelValues(reason)
	}
	r.MustRegister(s.refused,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "kafka_clients", Help: "Open connections of clients."},
			func() float64 { return float64(s.Open()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "kafka_data_bytes", Help: "Size of all logs."},
			func() float64 { return float64(b.size.Load()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "kafka_data_max_bytes", Help: "Size of all logs past which records are refused."},
			func() float64 { return float64(cfg.MaxSize) }),
	)
	s.MaxConns, s.Log, s.Handle = cfg.MaxClients, log, s.hand
	s.Refuse = func(net.Conn) { s.refused.WithLabelValues("clients").Inc() } // the protocol has no way to say why
	return s
}

// hand gives a client to the broker, which closes its connection when it is over. Clients keep
// connections for ever, so a server that is to end waits for none of them.
func (s *server) hand(ctx context.Context, conn net.Conn) {
	if bool(s.cfg.Protected) && !tcpserve.Loopback(conn.RemoteAddr()) {
		s.refused.WithLabelValues("protected").Inc()
		return
	}
	g := &guard{Conn: conn, refused: s.refused.WithLabelValues("protocol"), closed: make(chan struct{})}
	g.framing.limit = int64(s.cfg.MaxRequest)
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	if s.broker.door.enter(ctx, g) {
		<-g.closed
	}
}

// Shutdown closes the listener, all connections and the broker. A record that is written but
// not acknowledged by then is known when its producer tries again.
func (s *server) Shutdown(ctx context.Context) error {
	err := s.Server.Shutdown(ctx)
	return errors.Join(err, s.broker.close())
}

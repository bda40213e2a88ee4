package etcd

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flotilla-dev/flotilla/internal/tcpserve"
)

// server hands the connections of the data listener to members. The members have
// no listener of their own that others could reach.
type server struct {
	tcpserve.Server
	cfg     Config
	cluster *cluster
	refused *prometheus.CounterVec
	next    atomic.Uint32 // member
}

func newServer(cfg Config, c *cluster, r prometheus.Registerer, log *slog.Logger) *server {
	s := &server{
		cfg: cfg, cluster: c,
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "etcd_refused_total", Help: "Connections that were closed at once, by reason: clients, protected, stopped."}, []string{"reason"}),
	}
	for _, reason := range []string{"clients", "protected", "stopped"} {
		s.refused.WithLabelValues(reason)
	}
	clients := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "etcd_clients", Help: "Open connections of clients."},
		func() float64 { return float64(s.Open()) })
	r.MustRegister(clients, s.refused, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "etcd_has_leader", Help: "1: a majority of the members has joined and follows a leader."}, func() float64 {
		if c.led() {
			return 1
		}
		return 0
	}))
	s.MaxConns, s.Log, s.Handle = cfg.MaxClients, log, s.hand
	s.Refuse = func(net.Conn) { s.refused.WithLabelValues("clients").Inc() } // gRPC has no way to say why
	return s
}

// hand joins a client to a member until one of them leaves. A member that stops does.
func (s *server) hand(_ context.Context, conn net.Conn) {
	if bool(s.cfg.Protected) && !tcpserve.Loopback(conn.RemoteAddr()) {
		s.refused.WithLabelValues("protected").Inc()
		return
	}
	m := s.pick(conn)
	if m == nil {
		s.refused.WithLabelValues("stopped").Inc()
		return
	}
	defer m.leave(conn)
	var d net.Dialer
	inside, err := d.DialContext(context.Background(), "unix", m.socket)
	if err != nil {
		return // it was stopped at this moment: the client comes back to another one
	}
	defer inside.Close()
	answers := make(chan struct{})
	go func() {
		defer close(answers)
		_, _ = io.Copy(conn, inside) // ends with either side
		_ = conn.Close()
	}()
	_, _ = io.Copy(inside, conn) // likewise
	_ = inside.Close()
	<-answers
}

// pick returns the next member that runs.
func (s *server) pick(conn net.Conn) *member {
	for range s.cluster.members {
		m := s.cluster.members[int(s.next.Add(1)-1)%len(s.cluster.members)]
		if m.take(conn) {
			return m
		}
	}
	return nil
}

// Shutdown closes the listener, the members and with them all connections.
// Clients keep connections and watches for ever, so only the members' leave is
// waited for, and that no longer than ctx lasts.
func (s *server) Shutdown(ctx context.Context) error {
	ended, stopped := make(chan error, 1), make(chan error, 1)
	go func() { ended <- s.Server.Shutdown(ctx) }()
	go func() { stopped <- s.cluster.stop() }() // what a member does not read ends by that
	select {
	case err := <-stopped:
		return errors.Join(err, <-ended)
	case <-ctx.Done():
		return errors.Join(errors.New("the members did not stop in time"), <-ended)
	}
}

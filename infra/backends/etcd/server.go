package etcd

import (
	"context"
	"io"
	"net"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// server hands the connections of the data listener to members. The members have
// no listener of their own that others could reach.
type server struct {
	cfg     Config
	cluster *cluster
	clients prometheus.Gauge
	refused *prometheus.CounterVec

	serving sync.WaitGroup

	mu       sync.Mutex // guards all below
	listener net.Listener
	stopped  bool
	next     int // member
	open     int // connections
}

func newServer(cfg Config, c *cluster, r prometheus.Registerer) *server {
	s := &server{
		cfg: cfg, cluster: c,
		clients: prometheus.NewGauge(prometheus.GaugeOpts{Name: "etcd_clients", Help: "Open connections of clients."}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "etcd_refused_total", Help: "Connections that were closed at once, by reason: clients, protected, stopped."}, []string{"reason"}),
	}
	for _, reason := range []string{"clients", "protected", "stopped"} {
		s.refused.WithLabelValues(reason)
	}
	r.MustRegister(s.clients, s.refused, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "etcd_has_leader", Help: "1: a majority of the members follows a leader."}, func() float64 {
		if c.led() {
			return 1
		}
		return 0
	}))
	return s
}

// Serve accepts connections until Shutdown.
func (s *server) Serve(ln net.Listener) error {
	s.mu.Lock()
	s.listener = ln
	stopped := s.stopped
	s.mu.Unlock()
	if stopped {
		return net.ErrClosed
	}
	for {
		conn, err := ln.Accept()
		if err != nil {
			return err // net.ErrClosed after Shutdown, which the caller expects
		}
		if reason := s.admit(conn.RemoteAddr()); reason != "" {
			s.refused.WithLabelValues(reason).Inc()
			_ = conn.Close() // gRPC has no way to say why
			continue
		}
		s.serving.Go(func() {
			s.hand(conn)
			s.count(-1)
		})
	}
}

// admit says why a connection is not served, or "" and counts it.
func (s *server) admit(from net.Addr) (reason string) {
	host, _, _ := net.SplitHostPort(from.String())
	if ip := net.ParseIP(host); bool(s.cfg.Protected) && (ip == nil || !ip.IsLoopback()) {
		return "protected"
	}
	if s.count(1) > s.cfg.MaxClients {
		s.count(-1)
		return "clients"
	}
	return ""
}

func (s *server) count(change int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open += change
	s.clients.Set(float64(s.open))
	return s.open
}

// hand joins a client to a member until one of them leaves.
func (s *server) hand(conn net.Conn) {
	defer conn.Close()
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
		s.mu.Lock()
		m := s.cluster.members[s.next%len(s.cluster.members)]
		s.next++
		s.mu.Unlock()
		if m.take(conn) {
			return m
		}
	}
	return nil
}

// Shutdown closes the listener, the members and with them all connections.
// Clients keep connections and watches for ever, so there is nothing to wait for.
func (s *server) Shutdown(context.Context) error {
	s.mu.Lock()
	s.stopped = true
	ln := s.listener
	s.mu.Unlock()
	if ln != nil {
		_ = ln.Close() // ends Serve
	}
	err := s.cluster.stop()
	s.serving.Wait()
	return err
}

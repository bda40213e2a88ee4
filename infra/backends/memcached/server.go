package memcached

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// writeTimeout is how long a client may leave its answers unread.
const writeTimeout = 10 * time.Second

// server serves the store on the listener that the process contract opened.
type server struct {
	cfg     Config
	store   *store
	refused *prometheus.CounterVec
	work    sync.WaitGroup

	mu       sync.Mutex // guards all below
	listener net.Listener
	conns    map[net.Conn]struct{}
	stopped  bool
}

func newServer(cfg Config, st *store, metrics prometheus.Registerer) *server {
	s := &server{
		cfg: cfg, store: st, conns: map[net.Conn]struct{}{},
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "memcached_refused_total", Help: "Connections that were refused, by reason: clients, protected.",
		}, []string{"reason"}),
	}
	st.stats = stats{maxClients: cfg.MaxClients, started: time.Now()}
	for _, reason := range []string{"clients", "protected"} {
		s.refused.WithLabelValues(reason)
	}
	metrics.MustRegister(s.refused, collector{st})
	return s
}

// Serve accepts connections until Shutdown.
func (s *server) Serve(ln net.Listener) error {
	if !s.owns(ln) {
		return net.ErrClosed
	}
	for {
		conn, err := ln.Accept()
		if err != nil {
			return err // net.ErrClosed after Shutdown, which the caller expects
		}
		if reason, message := s.admit(conn); reason != "" {
			s.refused.WithLabelValues(reason).Inc()
			refuse(conn, message)
			continue
		}
		s.work.Go(func() { s.serve(conn) })
	}
}

// owns remembers the listener for Shutdown, unless that was called before.
func (s *server) owns(ln net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listener = ln
	return !s.stopped
}

// admit takes a connection in, or says why not.
func (s *server) admit(conn net.Conn) (reason, message string) {
	host, _, _ := net.SplitHostPort(conn.RemoteAddr().String())
	if ip := net.ParseIP(host); bool(s.cfg.Protected) && (ip == nil || !ip.IsLoopback()) {
		return "protected", "ERROR only loopback may connect while MEMCACHED_PROTECTED is on: there is no password"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	full := s.stopped || len(s.conns) >= s.cfg.MaxClients
	if !full {
		s.conns[conn] = struct{}{}
	}
	s.count(full)
	if full {
		return "clients", "ERROR Too many open connections"
	}
	return "", ""
}

// count keeps the numbers of connections that stats answers.
func (s *server) count(rejected bool) {
	s.store.Lock()
	defer s.store.Unlock()
	if rejected {
		s.store.stats.rejected++
		return
	}
	s.store.stats.connections++
	s.store.stats.open = len(s.conns)
}

// refuse answers and closes. A client that does not read is not waited for.
func refuse(conn net.Conn, message string) {
	_ = conn.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
	_, _ = conn.Write([]byte(message + "\r\n"))
	_ = conn.Close()
}

func (s *server) serve(conn net.Conn) {
	defer s.leave(conn)
	_ = newSession(s.store, &patient{conn, s.cfg.IdleTimeout}).run() // a client that goes away is no error
}

func (s *server) leave(conn net.Conn) {
	_ = conn.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, conn)
	s.store.Lock()
	defer s.store.Unlock()
	s.store.stats.open = len(s.conns)
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

// Shutdown closes the listener and all connections. Clients keep connections for
// ever, so there is nothing to wait for; a command that runs is finished.
func (s *server) Shutdown(context.Context) error {
	s.mu.Lock()
	s.stopped = true
	if s.listener != nil {
		_ = s.listener.Close() // ends Serve
	}
	for conn := range s.conns {
		_ = conn.Close()
	}
	s.mu.Unlock()
	s.work.Wait()
	return nil
}

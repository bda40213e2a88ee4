package mysql

import (
	"context"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/go-mysql-org/go-mysql/mysql"
	protocol "github.com/go-mysql-org/go-mysql/server"
	"github.com/prometheus/client_golang/prometheus"
)

// handshakeTime is how long a client has to log in.
const handshakeTime = 10 * time.Second

// server serves MySQL's protocol on the listener that the process contract opened.
type server struct {
	cfg      Config
	password string
	store    *store
	log      *slog.Logger
	metrics  *metrics
	started  time.Time
	protocol *protocol.Server

	mu       sync.Mutex // guards all below
	listener net.Listener
	stopped  bool
	clients  map[*client]bool
	left     sync.WaitGroup // of clients
}

func newServer(cfg Config, password string, store *store, registry prometheus.Registerer, log *slog.Logger) *server {
	s := &server{
		cfg: cfg, password: password, store: store, log: log, started: time.Now(), clients: map[*client]bool{},
		protocol: protocol.NewServer(serverVersion, utf8mb4, mysql.AUTH_NATIVE_PASSWORD, nil, nil),
	}
	s.metrics = newMetrics(registry, func() float64 { return float64(s.connected()) })
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
		s.metrics.connections.Inc()
		if reason, told := s.admit(conn); told != nil {
			s.metrics.refused.WithLabelValues(reason).Inc()
			refuse(conn, told)
			continue
		}
		s.start(conn)
	}
}

// owns remembers the listener for Shutdown, unless that was called before.
func (s *server) owns(ln net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listener = ln
	return !s.stopped
}

// admit says why a connection is not served, or nothing.
func (s *server) admit(conn net.Conn) (reason string, told *mysql.MyError) {
	if s.connected() >= s.cfg.MaxClients {
		return "clients", failure(mysql.ER_CON_COUNT_ERROR, "Too many connections")
	}
	host, _, _ := net.SplitHostPort(conn.RemoteAddr().String())
	if ip := net.ParseIP(host); bool(s.cfg.Protected) && s.password == "" && (ip == nil || !ip.IsLoopback()) {
		return "protected", failure(mysql.ER_HOST_NOT_PRIVILEGED, "only loopback may connect while MYSQL_PROTECTED is on and there is no password")
	}
	return "", nil
}

func (s *server) connected() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.clients)
}

// refuse answers in place of the greeting and closes. A client that does not
// read is not waited for.
func refuse(conn net.Conn, told *mysql.MyError) {
	packet := append([]byte{0, 0, 0, 0, 0xff, byte(told.Code), byte(told.Code >> 8)}, told.Message...)
	packet[0], packet[1] = byte(len(packet)-4), byte((len(packet)-4)>>8)
	_ = conn.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
	_, _ = conn.Write(packet)
	_ = conn.Close()
}

func (s *server) start(conn net.Conn) {
	c := &client{wire: newWire(conn, int(s.cfg.MaxPacket), s.metrics.refused.WithLabelValues("packet"))}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		_ = conn.Close()
		return
	}
	s.clients[c] = true
	s.left.Go(func() {
		s.serve(c)
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.clients, c)
	})
}

// Shutdown closes the listener and idle connections, and waits for statements
// that run. Clients keep connections for ever; one that is in the middle of a
// transaction sees it rolled back.
func (s *server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.stopped = true
	if s.listener != nil {
		_ = s.listener.Close() // ends Serve
	}
	clients := slices.Collect(maps.Keys(s.clients))
	s.mu.Unlock()
	for _, c := range clients {
		c.leave()
	}
	gone := make(chan struct{})
	go func() {
		s.left.Wait()
		close(gone)
	}()
	select {
	case <-gone:
		return nil
	case <-ctx.Done():
	}
	for _, c := range clients {
		_ = c.wire.Close()
	}
	<-gone // a statement ends with MYSQL_MAX_STATEMENT_TIME
	return ctx.Err()
}

// variables are what SELECT @@name and SHOW VARIABLES tell.
func (s *session) variables() map[string]string {
	auto := "0"
	if s.auto {
		auto = "1"
	}
	return map[string]string{
		"version": serverVersion, "version_comment": "Flotilla's embedded MySQL", "autocommit": auto,
		"max_allowed_packet": strconv.FormatInt(int64(s.cfg.MaxPacket), 10), "max_connections": strconv.Itoa(s.cfg.MaxClients),
		"wait_timeout": strconv.Itoa(int(s.cfg.Idle.Seconds())), "innodb_lock_wait_timeout": strconv.Itoa(int(s.cfg.LockWait.Seconds())),
		"character_set_server": "utf8mb4", "character_set_client": "utf8mb4", "collation_server": "utf8mb4_general_ci",
		"time_zone": "UTC", "system_time_zone": "UTC", "sql_mode": "STRICT_ALL_TABLES", "lower_case_table_names": "0",
		"transaction_isolation": "SERIALIZABLE", "tx_isolation": "SERIALIZABLE", "read_only": "0",
	}
}

// statusVariables are what SHOW STATUS tells.
func (s *server) statusVariables() map[string]string {
	return map[string]string{
		"Threads_connected": strconv.Itoa(s.connected()),
		"Uptime":            strconv.Itoa(int(time.Since(s.started).Seconds())),
	}
}

package mysql

import (
	"cmp"
	"log/slog"
	"net"
	"strconv"
	"time"

	"github.com/go-mysql-org/go-mysql/mysql"
	protocol "github.com/go-mysql-org/go-mysql/server"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/flotilla-dev/flotilla/internal/tcpserve"
)

// handshakeTime is how long a client has to log in.
const handshakeTime = 10 * time.Second

// server serves MySQL's protocol.
type server struct {
	tcpserve.Server
	cfg      Config
	password string
	store    *store
	log      *slog.Logger
	metrics  *metrics
	started  time.Time
	protocol *protocol.Server
}

func newServer(cfg Config, password string, store *store, registry prometheus.Registerer, log *slog.Logger) *server {
	s := &server{
		cfg: cfg, password: password, store: store, log: log, started: time.Now(),
		protocol: protocol.NewServer(serverVersion, utf8mb4, mysql.AUTH_NATIVE_PASSWORD, nil, nil),
	}
	s.metrics = newMetrics(registry, &s.Server)
	s.MaxConns, s.Log, s.Handle = cfg.MaxClients, log, s.serve
	s.Refuse = func(conn net.Conn) {
		s.metrics.refused.WithLabelValues("clients").Inc()
		refuse(conn, failure(mysql.ER_CON_COUNT_ERROR, "Too many connections"))
	}
	return s
}

// denied tells whether the address may not connect.
func (s *server) denied(addr net.Addr) bool {
	return bool(s.cfg.Protected) && s.password == "" && !tcpserve.Loopback(addr)
}

// refuse answers in place of the greeting. A client that does not read is not
// waited for.
func refuse(conn net.Conn, told *mysql.MyError) {
	packet := append([]byte{0, 0, 0, 0, 0xff, byte(told.Code), byte(told.Code >> 8)}, told.Message...)
	packet[0], packet[1] = byte(len(packet)-4), byte((len(packet)-4)>>8)
	_ = conn.SetWriteDeadline(time.Now().Add(tcpserve.RefuseTimeout))
	_, _ = conn.Write(packet)
}

// variables are what SELECT @@name and SHOW VARIABLES tell.
func (s *session) variables() map[string]string {
	auto := "0"
	if s.auto {
		auto = "1"
	}
	return map[string]string{
		"hostname": cmp.Or(s.cfg.Instance, "localhost"), "version": serverVersion, "version_comment": "Flotilla's embedded MySQL", "autocommit": auto,
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
		"Threads_connected": strconv.Itoa(s.Open()),
		"Uptime":            strconv.Itoa(int(time.Since(s.started).Seconds())),
	}
}

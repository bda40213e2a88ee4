package dbhealth

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// postgresEngine is PostgreSQL.
type postgresEngine struct{}

func (postgresEngine) connector(cfg Config, password string, dial dialer) (*sql.DB, error) {
	// Everything is said here: neither the environment's PG… nor files in the
	// home of the user are to have a say.
	c, err := pgx.ParseConfig("sslmode=disable host=localhost")
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(cfg.Address)
	if err != nil {
		return nil, err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("port %q", port)
	}
	c.Host, c.Port, c.User, c.Password, c.Database = host, uint16(n), cfg.User, password, cfg.Database
	c.Fallbacks, c.RuntimeParams = nil, map[string]string{"application_name": "dbhealth"}
	c.TLSConfig = nil
	c.DialFunc = pgconn.DialFunc(dial)
	c.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	return stdlib.OpenDB(*c), nil
}

func (postgresEngine) limit(ctx context.Context, conn *sql.Conn, d time.Duration) error {
	_, err := conn.ExecContext(ctx, fmt.Sprintf("SET statement_timeout = %d", max(d.Milliseconds(), 1)))
	return err
}

func (postgresEngine) version(ctx context.Context, conn *sql.Conn) (version string, err error) {
	err = conn.QueryRowContext(ctx, "SHOW server_version").Scan(&version)
	return version, err
}

// lagQuery tells for a replica: how old the last transaction is that it has
// replayed, or 0 when it has replayed all that it has and still receives.
const lagQuery = `SELECT pg_is_in_recovery(),
	CASE WHEN NOT pg_is_in_recovery() THEN 0
	WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() AND EXISTS (SELECT 1 FROM pg_stat_wal_receiver) THEN 0
	ELSE EXTRACT(EPOCH FROM now() - pg_last_xact_replay_timestamp())::float8 END`

func (postgresEngine) lag(ctx context.Context, conn *sql.Conn) (time.Duration, bool, error) {
	var replica bool
	var seconds sql.NullFloat64
	if err := conn.QueryRowContext(ctx, lagQuery).Scan(&replica, &seconds); err != nil {
		return 0, false, err
	}
	if !seconds.Valid {
		return 0, replica, not(NotReplicates, "it has replayed nothing yet and receives nothing")
	}
	return time.Duration(seconds.Float64 * float64(time.Second)), replica, nil
}

func (postgresEngine) explain(err error) error {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return nil
	}
	switch code := e.Code; {
	case code == "57P03", code == "57P01", code == "57P02":
		return not(Starting, "it is starting, stopping or recovering (SQLSTATE %s)", code)
	case code == "53300":
		return not(TooMany, "it has too many connections (SQLSTATE %s)", code)
	case code == "28P01", code == "28000", code == "42501":
		return not(LoginRefused, "it refuses the user (SQLSTATE %s): compare DBHEALTH_USER and DBHEALTH_PASSWORD_FILE with its users and their rights", code)
	case code == "3D000":
		return not(NoDatabase, "it has no database of the name in DBHEALTH_DATABASE")
	case code == "57014":
		return not(TooSlow, "it gave the query up (SQLSTATE %s): DBHEALTH_TIMEOUT has passed", code)
	default:
		return not(QueryFailed, "the query fails (SQLSTATE %s)", code)
	}
}

package dbhealth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// postgresEngine is PostgreSQL.
type postgresEngine struct{}

func (postgresEngine) connect(ctx context.Context, cfg Config, password string, dial dialer) (session, error) {
	// Everything is said here: neither the environment's PG… nor files in the
	// home of the user are to have a say.
	c, err := pgconn.ParseConfig("sslmode=disable host=localhost")
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
	conn, err := pgconn.ConnectConfig(ctx, c)
	if err != nil {
		return nil, err
	}
	return postgresSession{conn}, nil
}

// postgresSession speaks the protocol of simple queries, whose values are texts: the
// types of pgx are not needed, and are most of its size.
type postgresSession struct{ conn *pgconn.PgConn }

func (s postgresSession) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second) // for a farewell of a few bytes
	defer cancel()
	_ = s.conn.Close(ctx)
}

func (s postgresSession) limit(ctx context.Context, d time.Duration) error {
	return s.conn.Exec(ctx, fmt.Sprintf("SET statement_timeout = %d", max(d.Milliseconds(), 1))).Close()
}

func (s postgresSession) version(context.Context) (string, error) {
	return s.conn.ParameterStatus("server_version"), nil // told at the log-in
}

func (s postgresSession) query(ctx context.Context, statement string, visit func(first []byte) error) error {
	return s.rows(ctx, statement, func(values [][]byte) error {
		if len(values) == 0 {
			return visit(nil)
		}
		return visit(values[0])
	})
}

// rows visits the rows of a statement, the first where it is several.
func (s postgresSession) rows(ctx context.Context, statement string, visit func(values [][]byte) error) error {
	results := s.conn.Exec(ctx, statement)
	var unwanted error
	if results.NextResult() {
		for rows := results.ResultReader(); unwanted == nil && rows.NextRow(); {
			unwanted = visit(rows.Values())
		}
	}
	err := results.Close() // has the error of reading rows too
	return cmp.Or(unwanted, err)
}

// lagQuery tells for a replica: how old the last transaction is that it has
// replayed, or 0 when it has replayed all that it has and still receives.
const lagQuery = `SELECT pg_is_in_recovery(),
	CASE WHEN NOT pg_is_in_recovery() THEN 0
	WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() AND EXISTS (SELECT 1 FROM pg_stat_wal_receiver) THEN 0
	ELSE EXTRACT(EPOCH FROM now() - pg_last_xact_replay_timestamp())::float8 END`

func (s postgresSession) lag(ctx context.Context) (lag time.Duration, replica bool, err error) {
	err = s.rows(ctx, lagQuery, func(values [][]byte) error {
		if len(values) != 2 {
			return fmt.Errorf("lag: %d columns", len(values))
		}
		replica = string(values[0]) == "t"
		if values[1] == nil {
			return not(NotReplicates, "it has replayed nothing yet and receives nothing")
		}
		seconds, err := strconv.ParseFloat(string(values[1]), 64)
		lag = time.Duration(seconds * float64(time.Second))
		return err
	})
	return lag, replica, err
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

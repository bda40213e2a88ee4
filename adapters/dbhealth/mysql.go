package dbhealth

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

// mysqlEngine is MySQL and MariaDB.
type mysqlEngine struct{}

func (mysqlEngine) connect(ctx context.Context, cfg Config, password string, dial dialer) (session, error) {
	db, err := openMySQL(cfg, password, dial)
	if err != nil {
		return nil, err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		db.Close()
		return nil, err
	}
	return &mysqlSession{db, conn}, nil
}

// openMySQL makes a pool, without which the driver is not to be had.
func openMySQL(cfg Config, password string, dial dialer) (*sql.DB, error) {
	c := mysql.NewConfig()
	c.Net, c.Addr, c.User, c.Passwd, c.DBName = "tcp", cfg.Address, cfg.User, password, cfg.Database
	c.DialFunc = dial
	c.Logger = &mysql.NopLogger{} // errors are returned too
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

// mysqlSession is the one connection of a pool.
type mysqlSession struct {
	db   *sql.DB
	conn *sql.Conn
}

func (s *mysqlSession) close() {
	s.conn.Close()
	s.db.Close()
}

func (s *mysqlSession) limit(ctx context.Context, d time.Duration) error {
	version, err := s.version(ctx)
	if err != nil {
		return err
	}
	statement := fmt.Sprintf("SET SESSION max_execution_time = %d", max(d.Milliseconds(), 1))
	if strings.Contains(version, "MariaDB") {
		statement = fmt.Sprintf("SET SESSION max_statement_time = %.3f", d.Seconds())
	}
	_, err = s.conn.ExecContext(ctx, statement)
	if number(err) == 1193 { // an old server does not know it
		return nil
	}
	return err
}

func (s *mysqlSession) version(ctx context.Context) (version string, err error) {
	err = s.conn.QueryRowContext(ctx, "SELECT VERSION()").Scan(&version)
	return version, err
}

func (s *mysqlSession) query(ctx context.Context, statement string, visit func(first []byte) error) error {
	rows, err := s.conn.QueryContext(ctx, statement)
	if err != nil {
		return err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	values, into := make([]sql.RawBytes, max(len(columns), 1)), make([]any, len(columns))
	for i := range into {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		if err := visit(values[0]); err != nil {
			return err
		}
	}
	return rows.Err()
}

// lag reads what a replica says of itself. The word for it has changed with
// versions.
func (s *mysqlSession) lag(ctx context.Context) (time.Duration, bool, error) {
	rows, err := s.conn.QueryContext(ctx, "SHOW REPLICA STATUS")
	if number(err) == 1064 {
		rows, err = s.conn.QueryContext(ctx, "SHOW SLAVE STATUS")
	}
	if err != nil {
		return 0, false, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return 0, false, err
	}
	if !rows.Next() {
		return 0, false, rows.Err()
	}
	var behind sql.NullInt64
	found := false
	into := make([]any, len(columns))
	for i, name := range columns {
		into[i] = new(sql.RawBytes)
		if name == "Seconds_Behind_Source" || name == "Seconds_Behind_Master" {
			into[i], found = &behind, true
		}
	}
	if err := rows.Scan(into...); err != nil {
		return 0, false, err
	}
	if !found || !behind.Valid {
		return 0, true, not(NotReplicates, "its replication has stopped: see SHOW REPLICA STATUS")
	}
	return time.Duration(behind.Int64) * time.Second, true, nil
}

// number is that of MySQL's error, or 0.
func number(err error) uint16 {
	var e *mysql.MySQLError
	if errors.As(err, &e) {
		return e.Number
	}
	return 0
}

func (mysqlEngine) explain(err error) error {
	switch n := number(err); n {
	case 0:
		return nil
	case 1045, 1698, 1044, 1142, 1143, 1227, 1130, 1251, 1862:
		return not(LoginRefused, "it refuses the user (error %d): compare DBHEALTH_USER and DBHEALTH_PASSWORD_FILE with its users and their rights", n)
	case 1040, 1203, 1226:
		return not(TooMany, "it has too many connections (error %d)", n)
	case 1049:
		return not(NoDatabase, "it has no database of the name in DBHEALTH_DATABASE")
	case 1053, 1077, 1079:
		return not(Starting, "it is shutting down (error %d)", n)
	case 1317, 3024, 1969:
		return not(TooSlow, "it gave the query up (error %d): DBHEALTH_TIMEOUT has passed", n)
	default:
		return not(QueryFailed, "the query fails (error %d)", n)
	}
}

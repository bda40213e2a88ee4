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

func (mysqlEngine) connector(cfg Config, password string, dial dialer) (*sql.DB, error) {
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

func (e mysqlEngine) limit(ctx context.Context, conn *sql.Conn, d time.Duration) error {
	version, err := e.version(ctx, conn)
	if err != nil {
		return err
	}
	statement := fmt.Sprintf("SET SESSION max_execution_time = %d", max(d.Milliseconds(), 1))
	if strings.Contains(version, "MariaDB") {
		statement = fmt.Sprintf("SET SESSION max_statement_time = %.3f", d.Seconds())
	}
	_, err = conn.ExecContext(ctx, statement)
	if number(err) == 1193 { // an old server does not know it
		return nil
	}
	return err
}

func (mysqlEngine) version(ctx context.Context, conn *sql.Conn) (version string, err error) {
	err = conn.QueryRowContext(ctx, "SELECT VERSION()").Scan(&version)
	return version, err
}

// lag reads what a replica says of itself. The word for it has changed with
// versions.
func (mysqlEngine) lag(ctx context.Context, conn *sql.Conn) (time.Duration, bool, error) {
	rows, err := conn.QueryContext(ctx, "SHOW REPLICA STATUS")
	if number(err) == 1064 {
		rows, err = conn.QueryContext(ctx, "SHOW SLAVE STATUS")
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

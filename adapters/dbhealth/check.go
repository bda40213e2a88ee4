package dbhealth

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// checker does one check.
type checker struct {
	cfg    Config
	engine engine
}

// findings are what a check has found out, beside its verdict.
type findings struct {
	version string
	rows    int
	replica bool
	lag     time.Duration
}

// check connects anew, because that is what the next request of an application
// has to do, and asks. ctx bounds the whole; the query and what follows it have
// cfg.Timeout.
func (c checker) check(ctx context.Context, ear *ear) (f findings, err error) {
	defer func() { err = c.explain(ctx, ear, err) }()
	password, err := c.cfg.password()
	if err != nil {
		return f, not(Misconfigured, "DBHEALTH_PASSWORD_FILE cannot be read")
	}
	db, err := c.engine.connector(c.cfg, password, ear.dial)
	if err != nil {
		return f, err
	}
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		return f, err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	if err := c.engine.limit(ctx, conn, c.cfg.Timeout); err != nil {
		return f, err
	}
	if f.version, err = c.engine.version(ctx, conn); err != nil {
		return f, err
	}
	if f.rows, err = c.ask(ctx, conn); err != nil {
		return f, err
	}
	return f, c.behind(ctx, conn, &f)
}

// ask runs the query and compares the answer with what is expected.
func (c checker) ask(ctx context.Context, conn *sql.Conn) (count int, err error) {
	rows, err := conn.QueryContext(ctx, c.cfg.Query)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return 0, err
	}
	into := make([]any, len(columns))
	for i := range into {
		into[i] = new(sql.RawBytes)
	}
	for rows.Next() {
		if count++; count > c.cfg.MaxRows {
			return count, not(Rows, "the query has more than %d rows (DBHEALTH_MAX_ROWS)", c.cfg.MaxRows)
		}
		if count > 1 || c.cfg.Value == "" {
			continue
		}
		if err := rows.Scan(into...); err != nil {
			return count, err
		}
		if value := into[0].(*sql.RawBytes); string(*value) != c.cfg.Value {
			return count, not(Value, "the first value of the query is not the one of DBHEALTH_VALUE")
		}
	}
	if err := rows.Err(); err != nil {
		return count, err
	}
	if count < c.cfg.MinRows {
		return count, not(Rows, "the query has %d rows, fewer than %d (DBHEALTH_MIN_ROWS)", count, c.cfg.MinRows)
	}
	return count, nil
}

// behind looks how far a replica is behind, where that matters.
func (c checker) behind(ctx context.Context, conn *sql.Conn, f *findings) (err error) {
	if c.cfg.MaxLag == 0 {
		return nil
	}
	if f.lag, f.replica, err = c.engine.lag(ctx, conn); err != nil {
		return err
	}
	if f.lag > c.cfg.MaxLag {
		return not(Behind, "the replica is %s behind, more than %s (DBHEALTH_MAX_LAG)", f.lag.Round(time.Millisecond), c.cfg.MaxLag)
	}
	return nil
}

// explain turns every error into a verdict.
func (c checker) explain(ctx context.Context, ear *ear, err error) error {
	var known *verdict
	switch {
	case err == nil, errors.As(err, &known):
		return err
	case ear.refused.Load():
		return not(Refused, "it accepts no connection: it is stopped, or it starts")
	case !ear.heard.Load():
		return not(NoAnswer, "it says nothing")
	}
	if told := c.engine.explain(err); told != nil {
		return told
	}
	if ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) {
		return not(TooSlow, "it did not answer within %s (DBHEALTH_TIMEOUT)", c.cfg.Timeout)
	}
	return fmt.Errorf("%w: %w", not(Broken, "the connection broke in the middle of the check"), err)
}

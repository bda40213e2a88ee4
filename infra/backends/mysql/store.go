package mysql

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"modernc.org/sqlite"
)

// store is the SQLite database. Each session has a connection of its own, which
// holds its transaction.
type store struct {
	db   *sql.DB
	temp string // folder to remove in the end
}

const pageSize = 4096

// openStore opens the database. Without a folder it makes a temporary one, for
// SQLite's databases in memory let a writer block all readers.
func openStore(ctx context.Context, cfg Config) (*store, error) {
	d, err := newDriver(cfg.MaxTime)
	if err != nil {
		return nil, err
	}
	s := &store{}
	dir, synchronous := cfg.DataDir, "normal" // with WAL: what is committed survives a kill of the process
	if dir == "" {
		if s.temp, err = os.MkdirTemp("", "mysql-"); err != nil {
			return nil, fmt.Errorf("without MYSQL_DATA_DIR: %w", err)
		}
		dir, synchronous = s.temp, "off"
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open MYSQL_DATA_DIR: %w", err)
	}
	name := (&url.URL{Scheme: "file", Path: filepath.Join(dir, cfg.Database+".sqlite"), OmitHost: true}).String() + "?mode=rwc"
	for _, pragma := range []string{
		fmt.Sprintf("busy_timeout(%d)", cfg.LockWait.Milliseconds()),
		fmt.Sprintf("max_page_count(%d)", int64(cfg.MaxSize)/pageSize),
		"journal_mode(wal)", "journal_size_limit(4194304)", "synchronous(" + synchronous + ")", "foreign_keys(1)", "cache_size(-512)",
	} {
		name += "&_pragma=" + url.QueryEscape(pragma)
	}
	s.db = sql.OpenDB(connector{d, name})
	s.db.SetMaxIdleConns(0) // a session's end is its connection's end
	if err := s.db.PingContext(ctx); err != nil {
		s.close()
		return nil, fmt.Errorf("open the database: %w", err)
	}
	return s, nil
}

func (s *store) session(ctx context.Context) (*sql.Conn, error) { return s.db.Conn(ctx) }

func (s *store) check(ctx context.Context) error {
	if err := s.db.PingContext(ctx); err != nil {
		return errors.New("the database cannot be opened")
	}
	return nil
}

func (s *store) close() {
	_ = s.db.Close() // what was committed is kept, whatever this says
	if s.temp != "" {
		_ = os.RemoveAll(s.temp)
	}
}

// connector opens connections with a driver that is ours alone, not the one
// that SQLite's package registers for everybody.
type connector struct {
	driver *sqlite.Driver
	name   string
}

func (c connector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.name) }
func (c connector) Driver() driver.Driver                        { return c.driver }

// serverVersion begins with a version that clients know what to do with.
const serverVersion = "8.0.36-flotilla"

// newDriver adds the functions that MySQL has and SQLite has not.
func newDriver(longest time.Duration) (*sqlite.Driver, error) {
	d := &sqlite.Driver{}
	constant := func(v string) func(*sqlite.FunctionContext, []driver.Value) (driver.Value, error) {
		return func(*sqlite.FunctionContext, []driver.Value) (driver.Value, error) { return v, nil }
	}
	return d, errors.Join(
		d.RegisterScalarFunction("version", 0, constant(serverVersion)),
		d.RegisterScalarFunction("now", -1, now),
		d.RegisterScalarFunction("sleep", 1, func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
			return sleep(args[0], longest)
		}),
	)
}

// now is NOW([digits]), in UTC.
func now(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
	layout := time.DateTime
	if len(args) == 1 {
		digits, ok := args[0].(int64)
		if !ok || digits < 0 || digits > 6 {
			return nil, errors.New("a time has 0 to 6 digits of a second")
		}
		if digits > 0 {
			layout += "." + "000000"[:digits]
		}
	}
	return time.Now().UTC().Format(layout), nil
}

// sleep is SLEEP(seconds). It holds the session's statement for as long.
func sleep(arg driver.Value, longest time.Duration) (driver.Value, error) {
	var d time.Duration
	switch v := arg.(type) {
	case int64:
		d = time.Duration(min(max(v, 0), 3600)) * time.Second
	case float64:
		d = time.Duration(min(max(v, 0), 3600) * float64(time.Second))
	}
	if d > longest {
		time.Sleep(longest)
		return nil, errors.New("interrupted")
	}
	time.Sleep(d)
	return int64(0), nil
}

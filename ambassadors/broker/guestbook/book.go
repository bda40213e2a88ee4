package guestbook

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"time"

	"github.com/go-sql-driver/mysql"
)

// Entry is what a visitor has left.
type Entry struct {
	ID      int64     `json:"id"`
	Name    string    `json:"name"`
	Message string    `json:"message"`
	Created time.Time `json:"created"`
}

// book is the guest book in its database.
type book struct {
	db      *sql.DB
	timeout time.Duration
}

func open(cfg Config) (*book, error) {
	if _, err := password(cfg.PasswordFile); err != nil {
		return nil, err // at the start: a wrong path should not wait for a visitor
	}
	c := cfg.Database.config.Clone()
	c.ParseTime, c.InterpolateParams = true, true
	c.Timeout, c.ReadTimeout, c.WriteTimeout = 4*time.Second, cfg.QueryTimeout, cfg.QueryTimeout
	c.Logger = &mysql.NopLogger{} // errors are returned too, and logged once
	err := c.Apply(mysql.BeforeConnect(func(_ context.Context, c *mysql.Config) (err error) {
		c.Passwd, err = password(cfg.PasswordFile)
		return err
	}))
	if err != nil {
		return nil, err
	}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(cfg.Connections)
	db.SetMaxIdleConns(cfg.Connections)
	db.SetConnMaxLifetime(cfg.Lifetime)
	return &book{db, cfg.QueryTimeout}, nil
}

// create makes the table: a database to which the book has moved may be empty.
const create = "CREATE TABLE IF NOT EXISTS entries (" +
	"id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, token VARCHAR(64) COLLATE utf8mb4_bin NOT NULL UNIQUE, " +
	"name VARCHAR(80) NOT NULL, message VARCHAR(2000) NOT NULL, created DATETIME(3) NOT NULL) DEFAULT CHARSET=utf8mb4"

// list returns entries, the newest first, below an id where one is given.
func (b *book) list(ctx context.Context, before int64, limit int) (entries []Entry, err error) {
	err = b.again(ctx, func(ctx context.Context) error {
		entries = []Entry{}
		rows, err := b.db.QueryContext(ctx, "SELECT id, name, message, created FROM entries WHERE id < ? ORDER BY id DESC LIMIT ?", before, limit)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var e Entry
			if err := rows.Scan(&e.ID, &e.Name, &e.Message, &e.Created); err != nil {
				return err
			}
			entries = append(entries, e)
		}
		return rows.Err()
	})
	return entries, err
}

// add writes an entry, once per token: to ask again after an answer was lost
// does no harm.
func (b *book) add(ctx context.Context, token string, e Entry) (Entry, error) {
	err := b.again(ctx, func(ctx context.Context) error {
		_, err := b.db.ExecContext(ctx, "INSERT INTO entries (token, name, message, created) VALUES (?, ?, ?, ?)", token, e.Name, e.Message, time.Now().UTC())
		if err != nil && number(err) != 1062 { // duplicate: it is there already
			return err
		}
		return b.db.QueryRowContext(ctx, "SELECT id, name, message, created FROM entries WHERE token = ?", token).
			Scan(&e.ID, &e.Name, &e.Message, &e.Created)
	})
	return e, err
}

// again does what can be repeated, and repeats it once where that may help.
func (b *book) again(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, 2*b.timeout)
	defer cancel()
	err := do(ctx)
	switch {
	case err == nil || ctx.Err() != nil:
		return err
	case number(err) == 1146: // no such table
		if _, err := b.db.ExecContext(ctx, create); err != nil {
			return err
		}
	case number(err) == 1205, number(err) == 1213: // lock wait timeout, deadlock: try again
	case errors.Is(err, mysql.ErrInvalidConn), errors.Is(err, driver.ErrBadConn): // it broke under the query
	default:
		return err
	}
	return do(ctx)
}

// number is that of MySQL's error, or 0.
func number(err error) uint16 {
	var e *mysql.MySQLError
	if errors.As(err, &e) {
		return e.Number
	}
	return 0
}

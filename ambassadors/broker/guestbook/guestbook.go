// Package guestbook is a small application with a database: visitors leave their
// names, and read those of others.
//
// It connects to localhost:3306 with an unmodified driver and knows nothing of
// where its database is, that it moves, or who finds it. What it does itself is
// what every application with a database should do: connections have a lifetime,
// every query has a time limit, and what can be repeated without harm is repeated
// once.
package guestbook

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/labstack/echo/v4"

	"github.com/flotilla-dev/flotilla/internal/api"
	"github.com/flotilla-dev/flotilla/internal/config"
	"github.com/flotilla-dev/flotilla/internal/process"
)

// Program describes guestbook to operators and to the wiring test.
var Program = process.Program{
	Name:  "guestbook",
	About: "a guest book in a MySQL database that it reaches at localhost",
	Calls: []string{"broker: MySQL"},
}

// Config is the configuration of guestbook.
type Config struct {
	process.Contract
	Database     DSN           `env:"GUESTBOOK_DATABASE,notEmpty" envDefault:"guestbook@tcp(localhost:3306)/guestbook" doc:"the database, as go-sql-driver/mysql writes it, without the password"`
	PasswordFile string        `env:"GUESTBOOK_PASSWORD_FILE" doc:"file with the password, read for each new connection; empty: there is none"`
	Connections  int           `env:"GUESTBOOK_CONNECTIONS" envDefault:"10" doc:"most connections to the database"`
	Lifetime     time.Duration `env:"GUESTBOOK_CONNECTION_LIFETIME" envDefault:"5s" doc:"how long a connection is used: after a move of the database, all have moved by then"`
	QueryTimeout time.Duration `env:"GUESTBOOK_QUERY_TIMEOUT" envDefault:"2s" doc:"how long a request may wait for the database"`
}

// DSN is the data source name of a MySQL database.
type DSN struct {
	text   string
	config *mysql.Config
}

// UnmarshalText parses the name. A password in it would be shown by whatever
// shows the environment.
func (d *DSN) UnmarshalText(text []byte) error {
	parsed, err := mysql.ParseDSN(string(text))
	switch {
	case err != nil:
		return errors.New("want user@tcp(host:port)/database")
	case parsed.Passwd != "":
		return errors.New("it has a password; put that into the file of GUESTBOOK_PASSWORD_FILE")
	case parsed.DBName == "" || parsed.User == "":
		return errors.New("want user@tcp(host:port)/database")
	}
	*d = DSN{string(text), parsed}
	return nil
}

// String returns the name as it was written.
func (d DSN) String() string { return d.text }

func (c Config) validate() error {
	var wrong config.Error
	if c.Connections < 1 {
		wrong.Add("GUESTBOOK_CONNECTIONS", "want at least 1")
	}
	if c.Lifetime <= 0 {
		wrong.Add("GUESTBOOK_CONNECTION_LIFETIME", "want more than 0s")
	}
	if c.QueryTimeout <= 0 {
		wrong.Add("GUESTBOOK_QUERY_TIMEOUT", "want more than 0s")
	}
	return wrong.Err()
}

// Run serves until ctx ends.
func Run(ctx context.Context, cfg Config) error {
	if err := cfg.validate(); err != nil {
		return err
	}
	book, err := open(cfg)
	if err != nil {
		return err
	}
	defer book.db.Close()
	p, err := process.Open(ctx, Program, cfg.Contract, cfg)
	if err != nil {
		return err
	}
	p.Health.Ready("database", func(ctx context.Context) error {
		if err := book.db.PingContext(ctx); err != nil {
			return errors.New("the database does not answer")
		}
		return nil
	})
	e := api.New(p)
	routes(e, &handlers{book: book, log: p.Log})
	p.Serve(api.Server(e))
	return p.Run(ctx)
}

// routes are held together with openapi.yaml by a test.
func routes(e *echo.Echo, h *handlers) {
	e.GET("/v1/entries", h.list)
	e.POST("/v1/entries", h.add)
	e.GET("/", h.page)
	e.POST("/", h.sign)
}

// password reads the password as it is now: it may be replaced while the
// process runs.
func password(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read GUESTBOOK_PASSWORD_FILE: %w", err)
	}
	return strings.TrimRight(string(content), "\r\n"), nil
}

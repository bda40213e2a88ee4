package dbhealth

import (
	"context"
	"database/sql"
	"errors"
	"net"
	"sync/atomic"
	"syscall"
	"time"
)

// engine is what differs between databases.
type engine interface {
	// connector opens connections that are dialled by dial.
	connector(cfg Config, password string, dial dialer) (*sql.DB, error)
	// limit makes the server itself end the queries of a connection in time: those
	// that nobody waits for any more must not pile up.
	limit(ctx context.Context, conn *sql.Conn, d time.Duration) error
	// version of the server.
	version(ctx context.Context, conn *sql.Conn) (string, error)
	// lag is how far a replica is behind; replica is false for others.
	lag(ctx context.Context, conn *sql.Conn) (lag time.Duration, replica bool, err error)
	// explain says what an error of the driver means, or nil where it means nothing
	// in particular.
	explain(err error) error
}

type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// ear is the side of a check that hears whether the database speaks at all.
type ear struct {
	heard   atomic.Bool // it has sent something
	refused atomic.Bool // it has refused the connection
}

// dial connects, and listens for the first byte.
func (e *ear) dial(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		var dns *net.DNSError
		e.refused.Store(errors.Is(err, syscall.ECONNREFUSED) || errors.As(err, &dns))
		return nil, err
	}
	return &listening{conn, e}, nil
}

// listening is a connection whose first byte is noticed.
type listening struct {
	net.Conn
	ear *ear
}

func (l *listening) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	if n > 0 {
		l.ear.heard.Store(true)
	}
	return n, err
}

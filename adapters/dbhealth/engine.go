package dbhealth

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"syscall"
	"time"
)

// engine is what differs between databases.
type engine interface {
	// connect opens a connection, which is dialled by dial, and logs in.
	connect(ctx context.Context, cfg Config, password string, dial dialer) (session, error)
	// explain says what an error of a session means, or nil where it means nothing in
	// particular.
	explain(err error) error
}

// session is a connection that is logged in.
type session interface {
	// limit makes the server itself end the queries of the session in time: those that
	// nobody waits for any more must not pile up.
	limit(ctx context.Context, d time.Duration) error
	// version of the server.
	version(ctx context.Context) (string, error)
	// query calls visit with the first value of each row, as text, until it fails. A
	// value is valid during the call only; nil is NULL, or that of a row without columns.
	query(ctx context.Context, statement string, visit func(first []byte) error) error
	// lag is how far a replica is behind; replica is false for others.
	lag(ctx context.Context) (lag time.Duration, replica bool, err error)
	close()
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

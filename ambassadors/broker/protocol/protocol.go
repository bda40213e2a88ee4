package protocol

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"time"
)

// Name of a protocol.
type Name string

const (
	TCP      Name = "tcp" // any protocol: nothing is known
	MySQL    Name = "mysql"
	Postgres Name = "postgres"
)

// UnmarshalText takes the name of a protocol, which makes it a configuration value.
func (n *Name) UnmarshalText(text []byte) error {
	switch p := Name(text); p {
	case TCP, MySQL, Postgres:
		*n = p
		return nil
	}
	return fmt.Errorf("want mysql, postgres or tcp")
}

// Port is the port on which databases of the protocol listen.
func (n Name) Port() string {
	switch n {
	case MySQL:
		return "3306"
	case Postgres:
		return "5432"
	}
	return ""
}

// Kinds are the types of service bindings that speak the protocol; none means any.
func (n Name) Kinds() []string {
	switch n {
	case MySQL:
		return []string{"mysql", "mariadb"}
	case Postgres:
		return []string{"postgresql", "postgres"}
	}
	return nil
}

// A Refusal is what a client is told in place of a database.
type Refusal struct {
	Full   bool   // too many connections: it may come back soon
	Reason string // one sentence without inner details
}

// Refuse tells a client so and returns; the caller closes. It takes no longer
// than ctx. Of a protocol that is not known nothing can be said: the connection
// is reset, so that the client does not take the end for an answer.
func (n Name) Refuse(ctx context.Context, conn net.Conn, r Refusal) {
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	switch n {
	case MySQL:
		refuseMySQL(conn, r)
	case Postgres:
		refusePostgres(conn, r)
	default:
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
	}
}

// Check tells whether a database at the other end of a new connection is alive.
// It speaks as user, who need not exist: a database that refuses him is alive. The
// caller closes the connection. The error is for operators.
func (n Name) Check(ctx context.Context, conn net.Conn, user string) error {
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })()
	switch n {
	case MySQL:
		return checkMySQL(bufio.NewReaderSize(conn, 512), conn, user)
	case Postgres:
		return checkPostgres(conn, user)
	}
	return nil // it has accepted: that is all there is to know
}

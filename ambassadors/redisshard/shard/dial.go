package shard

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/flotilla-dev/flotilla/ambassadors/redisshard/resp"
)

// errLogin is that the server does not accept user and password, or misses them.
var errLogin = errors.New("the server refused user and password")

// keepAlive finds servers that are gone without a word.
const keepAlive = 15 * time.Second

// dialer opens connections that speak a version of the protocol.
func (s *Shard) dialer(version int) func(context.Context) (net.Conn, func([]byte) []byte, error) {
	return func(ctx context.Context) (net.Conn, func([]byte) []byte, error) {
		ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
		defer cancel()
		conn, convert, err := s.connect(ctx, version)
		if errors.Is(err, context.Canceled) {
			return nil, nil, err // the link was ended: that says nothing of the server
		}
		if err != nil {
			err = &ConnectError{err}
		}
		s.dialled(err)
		return conn, convert, err
	}
}

func (s *Shard) connect(ctx context.Context, version int) (net.Conn, func([]byte) []byte, error) {
	dialer := net.Dialer{KeepAlive: keepAlive}
	conn, err := dialer.DialContext(ctx, "tcp", s.o.Server.Addr)
	if err != nil {
		return nil, nil, err
	}
	if s.o.TLS != nil {
		secure := tls.Client(conn, s.tlsConfig())
		if err := secure.HandshakeContext(ctx); err != nil {
			return nil, nil, errors.Join(fmt.Errorf("TLS handshake: %w", err), conn.Close())
		}
		conn = secure
	}
	// The end of ctx, by time or because the shard is closed, ends the greeting.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	convert, err := s.greet(conn, version)
	if !stop() || err != nil {
		return nil, nil, errors.Join(err, ctx.Err(), conn.Close())
	}
	return conn, convert, nil
}

// tlsConfig names the server, where the configuration does not.
func (s *Shard) tlsConfig() *tls.Config {
	c := s.o.TLS.Clone()
	if host, _, err := net.SplitHostPort(s.o.Server.Addr); err == nil && c.ServerName == "" {
		c.ServerName = host
	}
	return c
}

// greet logs in, and brings the connection into the state that requests expect.
func (s *Shard) greet(conn net.Conn, version int) (convert func([]byte) []byte, err error) {
	user, password, err := s.o.login()
	if err != nil {
		return nil, err
	}
	g := greeting{conn: conn, in: resp.NewReplies(maxGreeting)}
	if version == 3 {
		switch err := g.hello(user, password); {
		case errors.Is(err, errOld):
			convert = nulls()
			version = 2
		case err != nil:
			return nil, err
		}
	}
	if version == 2 && password != "" {
		if err := g.login(user, password); err != nil {
			return nil, err
		}
	}
	if _, err := g.ask("CLIENT", "SETNAME", "redisshard"); err != nil {
		return nil, err // what it says does not matter
	}
	// That a server wants a password is to be known now: it is no business of
	// clients.
	reply, err := g.ask("PING")
	if err == nil && bytes.HasPrefix(reply, []byte("-NOAUTH")) {
		err = refusal(reply)
	}
	if err != nil || s.o.DB == 0 {
		return convert, err
	}
	if reply, err = g.ask("SELECT", strconv.Itoa(s.o.DB)); err == nil && reply[0] == '-' {
		err = fmt.Errorf("select database %d: %s", s.o.DB, bytes.TrimSpace(reply[1:]))
	}
	return convert, err
}

// nulls converts replies of a server that knows RESP2 only for clients of RESP3.
func nulls() func([]byte) []byte {
	var b []byte
	return func(reply []byte) []byte {
		b = resp.Nulls(b[:0], reply)
		return b
	}
}

package mysql

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/go-mysql-org/go-mysql/mysql"
)

// client is one connection.
type client struct {
	wire *wire

	mu      sync.Mutex // guards all below
	busy    bool       // a statement runs
	leaving bool
}

// leave ends the connection after the statement that runs, or at once.
func (c *client) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leaving = true
	if !c.busy {
		_ = c.wire.Close()
	}
}

// serve speaks with a client until it is gone, or the server is to end: then an
// idle connection is closed, for clients keep theirs for ever, and a statement
// that runs is finished.
func (s *server) serve(ctx context.Context, conn net.Conn) {
	if s.denied(conn.RemoteAddr()) {
		s.metrics.refused.WithLabelValues("protected").Inc()
		refuse(conn, failure(mysql.ER_HOST_NOT_PRIVILEGED, "only loopback may connect while MYSQL_PROTECTED is on and there is no password"))
		return
	}
	c := &client{wire: newWire(conn, int(s.cfg.MaxPacket), s.metrics.refused.WithLabelValues("packet"))}
	defer context.AfterFunc(ctx, c.leave)()
	// The protocol's library trusts lengths that a client sends. A packet that
	// makes it panic ends the connection that sent it, and nothing else.
	defer func() {
		if r := recover(); r != nil {
			s.metrics.refused.WithLabelValues("protocol").Inc()
			s.log.Warn("connection ended by a malformed packet", "peer", c.wire.RemoteAddr().String(), "reason", fmt.Sprint(r))
		}
	}()
	if err := s.converse(c); err != nil && !gone(err) {
		s.log.Debug("connection ended", "peer", c.wire.RemoteAddr().String(), "error", err)
	}
}

func (s *server) converse(c *client) error {
	if err := c.wire.SetReadDeadline(time.Now().Add(handshakeTime)); err != nil {
		return err
	}
	db, err := s.store.session(context.Background())
	if err != nil {
		return err
	}
	session := &session{cfg: s.cfg, log: s.log, metrics: s.metrics, db: db, status: s.statusVariables, auto: true}
	defer session.close()
	conn, err := s.protocol.NewCustomizedConn(farewell{c.wire}, login{s.cfg.User, s.password}, session)
	if err != nil {
		if !gone(err) {
			s.metrics.refused.WithLabelValues("login").Inc()
		}
		return err
	}
	session.conn = conn
	session.showStatus()
	c.wire.use(c, s.cfg.Idle)
	for !conn.Closed() {
		if err := conn.HandleCommand(); err != nil {
			return err
		}
	}
	return nil
}

// gone tells whether an error means that the client has left.
func gone(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, mysql.ErrBadConn)
}

// login knows the one user. Any other name has a password too, which nobody
// knows: a stranger is not told which of the two was wrong.
type login struct{ user, password string }

func (l login) CheckUsername(string) (bool, error) { return true, nil }

func (l login) GetCredential(name string) (password string, found bool, err error) {
	if name != l.user {
		return rand.Text(), true, nil
	}
	return l.password, true, nil
}

package tlsproxy

import (
	"bufio"
	"net"
	"net/http"
	"time"
)

// response is the client's side of an answer: it remembers what was sent, and
// bounds how long a client may take for a piece of it.
type response struct {
	http.ResponseWriter
	control *http.ResponseController
	cfg     *Config
	tunnels *tunnels
	status  int
	sent    int64
	tunnel  bool
}

func newResponse(w http.ResponseWriter, cfg *Config, t *tunnels) *response {
	return &response{ResponseWriter: w, control: http.NewResponseController(w), cfg: cfg, tunnels: t}
}

// Unwrap gives http.ResponseController what this type does not do itself.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *response) WriteHeader(status int) {
	if status >= 200 { // or 101; others of 1xx come before the answer
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *response) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	_ = w.control.SetWriteDeadline(time.Now().Add(w.cfg.StreamIdle)) // fails only on a closed connection: the write tells
	n, err := w.ResponseWriter.Write(p)
	w.sent += int64(n)
	return n, err
}

// Hijack hands the connection over to a tunnel. The server does not know of it
// from here on, so it is counted.
func (w *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.tunnels.enter()
	conn, buffered, err := w.control.Hijack()
	if err != nil {
		w.tunnels.leave()
		return nil, nil, err
	}
	w.tunnel, w.status = true, http.StatusSwitchingProtocols
	return &tunnelConn{conn, w.cfg.UpgradeIdle}, buffered, nil
}

// tunnelConn is the client's side of a tunnel. It ends when nothing was read or
// written for too long.
type tunnelConn struct {
	net.Conn
	idle time.Duration
}

// active moves the deadline of both directions: one that is silent may wait for
// the other. A connection that is closed tells so at its next use.
func (c *tunnelConn) active() { _ = c.Conn.SetDeadline(time.Now().Add(c.idle)) }

func (c *tunnelConn) Read(p []byte) (int, error) {
	c.active()
	return c.Conn.Read(p)
}

func (c *tunnelConn) Write(p []byte) (int, error) {
	c.active()
	return c.Conn.Write(p)
}

// CloseWrite passes the end of one direction on; the other one may go on.
func (c *tunnelConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Conn.Close()
}

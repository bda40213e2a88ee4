// Package nonblock writes to a connection as much as fits into its buffers, and
// does not wait.
package nonblock

import (
	"errors"
	"net"
	"syscall"
)

// Writer writes to one connection, by one goroutine at a time.
type Writer struct {
	raw  syscall.RawConn // nil where the connection is no plain socket
	once func(fd uintptr) bool
	b    []byte
	n    int
	err  error
}

// NewWriter returns a writer to a connection, which may also be written to by
// other means, in turn.
func NewWriter(conn net.Conn) *Writer {
	w := &Writer{}
	if tcp, ok := conn.(*net.TCPConn); ok {
		w.raw, _ = tcp.SyscallConn() // an error leaves nil
	}
	w.once = func(fd uintptr) bool {
		for {
			w.n, w.err = syscall.Write(int(fd), w.b)
			if !errors.Is(w.err, syscall.EINTR) {
				return true // in any case: there is no waiting
			}
		}
	}
	return w
}

// Write writes what fits now and returns how many bytes that were. An error is
// that of the connection; to have no room is none.
func (w *Writer) Write(b []byte) (int, error) {
	if w.raw == nil {
		return 0, nil
	}
	w.b = b
	err := w.raw.Write(w.once)
	w.b = nil
	switch {
	case err != nil:
		return 0, err
	case errors.Is(w.err, syscall.EAGAIN):
		return 0, nil
	case w.err != nil:
		return 0, w.err
	}
	return w.n, nil
}

// Abort ends a connection in both directions without waiting for anybody who
// reads it or writes to it. Close has to follow.
func Abort(conn net.Conn) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		go conn.Close() // which says goodbye to the peer first, in TLS
		return
	}
	_ = tcp.CloseRead() // it is of no use any more, whatever happens
	_ = tcp.CloseWrite()
}

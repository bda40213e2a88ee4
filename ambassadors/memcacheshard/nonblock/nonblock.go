// Package nonblock saves system calls on connections: it writes as much as fits
// into the buffers of a connection without waiting, and it reads without the call
// that only finds out that there is nothing.
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
	w := &Writer{raw: rawConn(conn)}
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

// rawConn is the socket of a TCP connection, or nil.
func rawConn(conn net.Conn) syscall.RawConn {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
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

// Abort ends a connection in both directions. Unlike Close it does not wait for
// Read to return; Close has to follow.
func Abort(conn net.Conn) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		go conn.Close() // which says goodbye to the peer first, in TLS
		return
	}
	_ = tcp.CloseRead() // it is of no use any more, whatever happens
	_ = tcp.CloseWrite()
}

// Source is what a connection is read into.
type Source interface {
	// Room is where the next bytes go.
	Room() []byte
	// Came is told how many bytes were read. owed says that something will be
	// written to the peer for them: that finds out when it is gone.
	Came(n int) (owed bool, err error)
}

// plainly reads a connection in the usual way.
func plainly(conn net.Conn, s Source) error {
	for {
		n, err := conn.Read(s.Room())
		if err != nil {
			return err
		}
		if _, err := s.Came(n); err != nil {
			return err
		}
	}
}

// Package nettest gives tests the peers that no good server is: one that says
// what the test says, and one that refuses; and a listener that fails once.
package nettest

import (
	"bufio"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
)

// Serve hands each connection to serve, one after the other, and closes it
// afterwards. The end of the test waits for the last one.
func Serve(t testing.TB, serve func(net.Conn)) (addr string) {
	t.Helper()
	listener := listen(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serve(conn)
			conn.Close()
		}
	}()
	t.Cleanup(func() { listener.Close(); <-done })
	return listener.Addr().String()
}

// FailOnce returns a listener whose first Accept fails, as it does in a process
// that is out of file descriptors.
func FailOnce(t testing.TB) net.Listener {
	t.Helper()
	return &failing{Listener: listen(t)}
}

type failing struct {
	net.Listener
	failed atomic.Bool
}

func (f *failing) Accept() (net.Conn, error) {
	if f.failed.CompareAndSwap(false, true) {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: syscall.EMFILE}
	}
	return f.Listener.Accept()
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

// ReadHead reads a request up to its empty line, or to the end of the connection.
func ReadHead(conn net.Conn) {
	lines := bufio.NewScanner(conn)
	for lines.Scan() && lines.Text() != "" {
	}
}

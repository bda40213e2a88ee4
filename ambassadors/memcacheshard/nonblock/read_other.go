//go:build !linux

package nonblock

import "net"

// Read reads a connection until it ends or s has enough, and returns why: io.EOF
// when the peer has sent everything.
func Read(conn net.Conn, s Source) error { return plainly(conn, s) }

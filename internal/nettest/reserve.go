package nettest

import (
	"net/netip"
	"syscall"
	"testing"
)

// Refuse returns an address of loopback that refuses, until the test or a program of it
// listens there. Until the test ends its port is nobody else's: a socket is bound to it
// that does not listen. (A port that was merely free a moment ago may by now be that of
// another test's listener, or of any outgoing connection.)
func Refuse(t testing.TB) (addr string) {
	t.Helper()
	syscall.ForkLock.RLock()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	// Two sockets may be bound to one port when both say so and neither listens;
	// net.Listen does, and so do servers in C.
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	inet := name.(*syscall.SockaddrInet4)
	return netip.AddrPortFrom(netip.AddrFrom4(inet.Addr), uint16(inet.Port)).String()
}

package tcpserve

import (
	"net"
	"testing"
)

func TestOnlyThisMachineIsLoopback(t *testing.T) {
	for addr, want := range map[net.Addr]bool{
		&net.TCPAddr{IP: net.IPv4(127, 0, 0, 9), Port: 4711}:           true,
		&net.TCPAddr{IP: net.IPv6loopback, Port: 4711}:                 true,
		&net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 4711}:           false,
		&net.TCPAddr{IP: net.IPv4zero, Port: 4711}:                     false,
		&net.TCPAddr{IP: net.ParseIP("fe80::1"), Zone: "lo", Port: 80}: false,
		&net.UnixAddr{Name: "@", Net: "unix"}:                          false,
	} {
		if got := Loopback(addr); got != want {
			t.Errorf("%s: %v", addr, got)
		}
	}
}

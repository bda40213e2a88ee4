package tcpserve

import "net"

// Loopback tells whether an address is one of this machine alone. A server without
// a password lets nobody else in.
func Loopback(addr net.Addr) bool {
	host, _, _ := net.SplitHostPort(addr.String())
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

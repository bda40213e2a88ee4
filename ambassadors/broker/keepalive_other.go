//go:build !linux

package broker

import (
	"net"
	"time"
)

// userTimeout has no equivalent here.
func userTimeout(*net.TCPConn, time.Duration) {}

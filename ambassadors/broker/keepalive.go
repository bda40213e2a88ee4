package broker

import (
	"net"
	"time"
)

// silence is after how long a peer that does not acknowledge is given up: a
// machine that vanished says nothing.
const silence = 30 * time.Second

// keepAlive makes a connection notice that its peer has vanished, while it is
// idle and while it waits for an answer.
func keepAlive(conn net.Conn) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return
	}
	// At worst it is noticed later.
	_ = tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: silence / 2, Interval: silence / 6, Count: 3})
	userTimeout(tcp, silence)
}

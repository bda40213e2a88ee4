package broker

import (
	"io"
	"net"
	"time"

	"github.com/flotilla-dev/flotilla/internal/tcpserve"
)

// relay copies both ways until both have ended, and passes an end on: when one
// side has sent everything the other one is told so, and has half to finish. Of
// two TCP connections the kernel moves the bytes (splice).
func relay(client, up net.Conn, half time.Duration) (sent, received int64) {
	up1 := make(chan struct{})
	go func() {
		defer close(up1)
		sent = pass(up, client, half)
	}()
	received = pass(client, up, half)
	<-up1
	return sent, received
}

// pass copies from src to dst and tells dst when src has ended. After an error
// nothing more can be said: both are closed.
func pass(dst, src net.Conn, half time.Duration) int64 {
	n, err := io.Copy(dst, src)
	if err == nil {
		err = tcpserve.CloseWrite(dst)
	}
	if err != nil {
		_ = dst.Close()
		_ = src.Close()
		return n
	}
	// The other direction must not outlive this one for ever: an application
	// that is gone looks like one that only listens.
	_ = dst.SetReadDeadline(time.Now().Add(half))
	return n
}

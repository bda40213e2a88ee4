package tcpserve

import (
	"context"
	"errors"
	"net"
	"time"
)

// FinishGrace is how long after the end of its context a connection is still
// read: what the client had sent by then is in the buffers of this machine, and
// is served.
const FinishGrace = 50 * time.Millisecond

// Finish lets the reads of a connection fail with os.ErrDeadlineExceeded soon
// after ctx ends. The function it returns undoes that.
func Finish(ctx context.Context, conn net.Conn) (release func()) {
	stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Now().Add(FinishGrace)) })
	return func() { stop() }
}

// CloseWrite tells the peer that nothing more will be sent, where the connection
// can say so; TCP and TLS can.
func CloseWrite(conn net.Conn) error {
	half, ok := conn.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	return half.CloseWrite()
}

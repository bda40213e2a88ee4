package session

import (
	"time"

	"github.com/flotilla-dev/flotilla/internal/tcpserve"
)

// output writes to a client.
type output struct{ conn tcpserve.Direct }

// piece is how much a client has to take in the time of a write.
const piece = 256 << 10

// write writes all, and waits for the client as long as it takes a piece of it
// in time.
func (o output) write(b []byte, timeout time.Duration) error {
	for len(b) > 0 {
		if err := o.conn.SetWriteDeadline(time.Now().Add(timeout)); err != nil {
			return err
		}
		n, err := o.conn.Write(b[:min(len(b), piece)])
		if err != nil {
			return err
		}
		b = b[n:]
	}
	return o.conn.SetWriteDeadline(time.Time{})
}

// abort closes the connection. It does not wait for TLS to say goodbye.
func (o output) abort() {
	if _, tcp := o.conn.(interface{ SetNoDelay(bool) error }); tcp {
		_ = o.conn.Close()
		return
	}
	go o.conn.Close()
}

package mysql

import (
	"bufio"
	"fmt"
	"net"
	"time"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/prometheus/client_golang/prometheus"
)

// wire is a connection as the protocol's library sees it. It bounds the packets
// that come in, whose length the library believes, and gathers those that go
// out: they are sent when the library waits for the next packet.
type wire struct {
	net.Conn
	out     *bufio.Writer
	limit   int
	refused prometheus.Counter

	client *client       // nil until it is logged in
	idle   time.Duration // between statements
	head   [4]byte
	got    int // bytes of head
	left   int // bytes of the packet still to come
	total  int // bytes of a statement that spans packets
}

// writeTime is how long a client may not read its answer.
const writeTime = 30 * time.Second

func newWire(conn net.Conn, limit int, refused prometheus.Counter) *wire {
	return &wire{Conn: conn, out: bufio.NewWriterSize(conn, 8<<10), limit: limit, refused: refused}
}

// use begins the phase of commands: the client is known, idle time is bounded.
func (w *wire) use(c *client, idle time.Duration) { w.client, w.idle = c, idle }

// Read first sends what has been written.
func (w *wire) Read(p []byte) (int, error) {
	if err := w.Flush(); err != nil {
		return 0, err
	}
	if err := w.rest(); err != nil {
		return 0, err
	}
	n, err := w.Conn.Read(p)
	if n > 0 {
		if inspected := w.inspect(p[:n]); inspected != nil {
			return 0, inspected
		}
		w.work()
	}
	return n, err
}

// rest marks the client as idle, or ends it when it is to leave.
func (w *wire) rest() error {
	if w.client == nil || w.got > 0 || w.left > 0 {
		return nil // in the middle of a packet
	}
	w.client.mu.Lock()
	defer w.client.mu.Unlock()
	w.client.busy = false
	if w.client.leaving {
		return net.ErrClosed
	}
	return w.Conn.SetReadDeadline(time.Now().Add(w.idle))
}

func (w *wire) work() {
	if w.client == nil {
		return
	}
	w.client.mu.Lock()
	defer w.client.mu.Unlock()
	w.client.busy = true
}

// inspect follows the framing: three bytes of length, a sequence number.
func (w *wire) inspect(p []byte) error {
	for len(p) > 0 {
		if w.left > 0 {
			n := min(w.left, len(p))
			w.left -= n
			p = p[n:]
			continue
		}
		n := copy(w.head[w.got:], p)
		w.got += n
		p = p[n:]
		if w.got < len(w.head) {
			continue
		}
		w.got = 0
		w.left = int(w.head[0]) | int(w.head[1])<<8 | int(w.head[2])<<16
		if w.head[3] == 0 {
			w.total = 0 // a new command
		}
		w.total += w.left
		if w.total > w.limit || w.left == 0 && w.head[3] == 0 {
			w.refused.Inc()
			w.tell(failure(mysql.ER_NET_PACKET_TOO_LARGE, "Got a packet bigger than 'max_allowed_packet' bytes"))
			return fmt.Errorf("a packet of %d bytes; 1 to %d are allowed", w.total, w.limit)
		}
	}
	return nil
}

// tell answers the packet that was read last with an error.
func (w *wire) tell(e *mysql.MyError) {
	packet := append([]byte{0, 0, 0, w.head[3] + 1, 0xff, byte(e.Code), byte(e.Code >> 8), '#'}, e.State+e.Message...)
	packet[0] = byte(len(packet) - 4)
	if _, err := w.Write(packet); err == nil {
		_ = w.Flush() // the connection ends here, heard or not
	}
}

func (w *wire) Write(p []byte) (int, error) {
	if err := w.Conn.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return 0, err
	}
	return w.out.Write(p)
}

// Flush sends what has been written.
func (w *wire) Flush() error { return w.out.Flush() }

// hangUp sends what has been written, as far as the client takes it at once,
// and closes.
func (w *wire) hangUp() {
	_ = w.Conn.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
	_ = w.Flush() // to a client that may be gone
	_ = w.Conn.Close()
}

// farewell is the wire as the library sees it while a client logs in: it closes
// a connection right after the error that it has written.
type farewell struct{ *wire }

func (f farewell) Close() error {
	f.hangUp()
	return nil
}

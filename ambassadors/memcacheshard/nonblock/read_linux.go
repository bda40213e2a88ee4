package nonblock

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"syscall"
)

// Read reads a connection until it ends or s has enough, and returns why: io.EOF
// when the peer has sent everything.
//
// The usual loop makes two calls for each message of a peer that waits for its
// answer: one that reads it, and one that finds nothing more before the goroutine
// waits. Here the first one tells whether there is more (TCP_INQ, which counts the
// end of the stream too), and the second is spared, unless nothing is owed to the
// peer: a connection that the peer has reset shows in a read or a write only.
//
// All of it happens in one call of RawConn.Read, because a new one would forget
// that the connection has become readable meanwhile.
func Read(conn net.Conn, s Source) error {
	raw := rawConn(conn)
	if raw == nil || !announce(raw) {
		return plainly(conn, s)
	}
	r := &reader{source: s}
	if err := raw.Read(r.ready); err != nil {
		return err
	}
	return r.err
}

// Of linux/tcp.h: the number of unread bytes comes with each message.
const tcpInq = 36

func announce(raw syscall.RawConn) bool {
	var failed error
	err := raw.Control(func(fd uintptr) { failed = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpInq, 1) })
	return err == nil && failed == nil
}

type reader struct {
	source Source
	owed   bool
	err    error
	oob    [32]byte // for one control message with an int
}

// ready reads what there is. It returns false to be called again when there is
// more.
func (r *reader) ready(fd uintptr) (done bool) {
	for {
		n, more, err := r.receive(int(fd))
		switch {
		case errors.Is(err, syscall.EAGAIN):
			return false
		case errors.Is(err, syscall.EINTR):
			continue
		case err == nil && n == 0:
			err = io.EOF
		case err == nil:
			r.owed, err = r.source.Came(n)
		}
		if err != nil {
			r.err = err
			return true
		}
		if r.owed && !more {
			return false
		}
	}
}

// receive reads once, and tells whether there may be more.
func (r *reader) receive(fd int) (n int, more bool, err error) {
	n, size, _, _, err := syscall.Recvmsg(fd, r.source.Room(), r.oob[:], 0)
	if err != nil {
		return 0, false, err
	}
	const header = syscall.SizeofCmsghdr
	if size < header+4 {
		return n, true, nil
	}
	return n, binary.NativeEndian.Uint32(r.oob[header:]) != 0, nil
}

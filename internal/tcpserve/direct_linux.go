package tcpserve

import (
	"io"
	"net"
	"os"
	"syscall"
	"unsafe"
)

// direct is a TCP connection whose system calls are made here.
type direct struct {
	*net.TCPConn
	raw         syscall.RawConn
	read, write transfer
}

// transfer is the present read or write.
type transfer struct {
	call func(fd uintptr) bool // made once, so that it is not allocated each time
	b    []byte
	n    int // bytes done
	err  syscall.Errno
	once bool // do not wait
}

func newDirect(conn net.Conn) Direct {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil
	}
	d := &direct{TCPConn: tcp, raw: raw}
	d.read.call = d.read.receive
	d.write.call = d.write.send
	return d
}

func (d *direct) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	t := &d.read
	t.b, t.n, t.err = b, 0, 0
	err := d.raw.Read(t.call)
	t.b = nil
	switch {
	case err != nil:
		return 0, err
	case t.err != 0:
		return 0, &net.OpError{Op: "read", Net: "tcp", Source: d.LocalAddr(), Addr: d.RemoteAddr(), Err: os.NewSyscallError("read", t.err)}
	case t.n == 0:
		return 0, io.EOF
	}
	return t.n, nil
}

func (d *direct) Write(b []byte) (int, error) { return d.transmit(b, false) }

func (d *direct) TryWrite(b []byte) (int, error) { return d.transmit(b, true) }

func (d *direct) transmit(b []byte, once bool) (int, error) {
	t := &d.write
	t.b, t.n, t.err, t.once = b, 0, 0, once
	err := d.raw.Write(t.call)
	t.b = nil
	if err == nil && t.err != 0 {
		err = &net.OpError{Op: "write", Net: "tcp", Source: d.LocalAddr(), Addr: d.RemoteAddr(), Err: os.NewSyscallError("write", t.err)}
	}
	return t.n, err
}

// receive reads once something has come. False makes the caller wait.
func (t *transfer) receive(fd uintptr) bool {
	n, err := transferOnce(syscall.SYS_READ, fd, t.b)
	if err == syscall.EAGAIN {
		return false
	}
	t.n, t.err = n, err
	return true
}

// send writes all, or once.
func (t *transfer) send(fd uintptr) bool {
	for t.n < len(t.b) {
		n, err := transferOnce(syscall.SYS_WRITE, fd, t.b[t.n:])
		if err == syscall.EAGAIN {
			return t.once
		}
		if err != 0 {
			t.err = err
			return true
		}
		t.n += n
	}
	return true
}

// transferOnce reads or writes on a descriptor that does not block: the net
// package has made it so, and relies on it.
func transferOnce(call, fd uintptr, b []byte) (int, syscall.Errno) {
	for {
		n, _, err := syscall.RawSyscall(call, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
		if err == 0 {
			return int(n), 0
		}
		if err != syscall.EINTR {
			return 0, err
		}
	}
}

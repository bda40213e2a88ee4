package front

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// gone tells whether the client closed its connection. TCP tells of that only
// who reads, and while an answer is awaited nobody does; so the kernel is asked.
func (c *Conn) gone() bool {
	sc, ok := c.TCP.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return true
	}
	left := false
	err = raw.Control(func(fd uintptr) {
		ask := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
		n, err := unix.Poll(ask, 0)
		left = err == nil && n > 0 && ask[0].Revents&(unix.POLLRDHUP|unix.POLLHUP|unix.POLLERR) != 0
	})
	return err != nil || left
}

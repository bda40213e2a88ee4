package sockets

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"

	"github.com/flotilla-dev/flotilla/infra/local/internal/proc"
)

// Public is a listening socket that the runner holds and its children inherit.
// While one of them restarts the others accept; while all of them do,
// connections wait in the kernel's queue and none is refused.
type Public struct {
	Name string
	Port int
	File *os.File // to pass on
}

// TakenError says who holds a port.
type TakenError struct {
	Network string
	Port    int
	Holder  string // empty when unknown
}

func (e *TakenError) Error() string {
	holder := e.Holder
	if holder == "" {
		holder = "another process"
	}
	return fmt.Sprintf("%s port %d is taken by %s", e.Network, e.Port, holder)
}

// Open opens a public listener. With datagrams the UDP port of the same number
// must be free too; it is left for a child to open. Port 0 means a free one.
func Open(name, host string, port int, datagrams bool) (*Public, error) {
	for attempt := 1; ; attempt++ {
		p, err := open(name, host, port, datagrams)
		if err == nil || port != 0 || attempt == 20 {
			return p, err
		}
	}
}

func open(name, host string, port int, datagrams bool) (*Public, error) {
	ln, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return nil, taken("tcp", port, err)
	}
	defer ln.Close()
	got := ln.Addr().(*net.TCPAddr).Port
	if datagrams {
		if err := udpFree(host, got); err != nil {
			return nil, err
		}
	}
	file, err := duplicate(ln.(*net.TCPListener))
	if err != nil {
		return nil, fmt.Errorf("pass on the listener of port %d: %w", got, err)
	}
	return &Public{Name: name, Port: got, File: file}, nil
}

func udpFree(host string, port int) error {
	conn, err := net.ListenPacket("udp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return taken("udp", port, err)
	}
	return conn.Close()
}

func taken(network string, port int, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return &TakenError{Network: network, Port: port, Holder: proc.Holder(network, port)}
	}
	return err
}

// duplicate returns the listener's descriptor as a file. TCPListener.File would
// do, were it not that passing such a file to a child switches the socket, which
// all replicas share, to blocking mode under the feet of those that run.
func duplicate(ln *net.TCPListener) (*os.File, error) {
	raw, err := ln.SyscallConn()
	if err != nil {
		return nil, err
	}
	fd := -1
	var failed error
	err = raw.Control(func(original uintptr) {
		syscall.ForkLock.RLock()
		defer syscall.ForkLock.RUnlock()
		if fd, failed = syscall.Dup(int(original)); failed == nil {
			syscall.CloseOnExec(fd)
		}
	})
	if err := errors.Join(err, failed); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), ln.Addr().String()), nil
}

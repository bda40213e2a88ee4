package sockets

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestAPortThatSomebodyTookMeanwhileIsReplaced(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "ports.json")
	first, err := OpenPorts("127.0.0.1", file)
	if err != nil {
		t.Fatal(err)
	}
	a, err := first.Pair("web-1")
	if err != nil {
		t.Fatal(err)
	}
	b, err := first.Pair("web-2")
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", a.Data))
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if again, err := first.Pair("web-1"); err != nil || again != a {
		t.Errorf("a process that listens moved to %v, %v", again, err)
	}
	next, err := OpenPorts("127.0.0.1", file)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := next.Pair("web-1"); err != nil || got.Data == a.Data {
		t.Errorf("a taken port is given out: %v, %v", got, err)
	}
	if got, err := next.Pair("web-2"); err != nil || got != b {
		t.Errorf("free ports were not kept: %v, %v", got, err)
	}
}

func TestABrokenMemoryOfPortsIsForgotten(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "ports.json")
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := OpenPorts("127.0.0.1", file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Pair("web-1"); err != nil {
		t.Error(err)
	}
}

// Passing the descriptor on must not switch the socket, which every replica
// shares, to blocking mode: a replica that runs would then hang in accept.
func TestAnInheritedListenerStaysNonBlocking(t *testing.T) {
	t.Parallel()
	p, err := Open("https", "127.0.0.1", 0, true)
	if err != nil {
		t.Fatal(err)
	}
	defer p.File.Close()
	flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, p.File.Fd(), syscall.F_GETFL, 0)
	if errno != 0 || flags&syscall.O_NONBLOCK == 0 {
		t.Errorf("flags %#x, %v", flags, errno)
	}
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", p.Port)) // the kernel queues it
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	_, err = Open("again", "127.0.0.1", p.Port, false)
	var taken *TakenError
	if !errors.As(err, &taken) || !strings.Contains(taken.Holder, fmt.Sprint(os.Getpid())) {
		t.Errorf("the error is %v", err)
	}
}

package control

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestALongDirectoryHasItsSocketElsewhere(t *testing.T) {
	t.Parallel()
	if got := Socket("/short"); got != "/short/control.sock" {
		t.Errorf("the socket is %s", got)
	}
	long := "/" + strings.Repeat("long/", 40)
	a, b := Socket(long), Socket(long+"other")
	if len(a) > maxPath || a == b || a != Socket(long) {
		t.Errorf("the sockets are %s and %s", a, b)
	}
}

func TestNoRunnerIsToldFromABrokenOne(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "control")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if _, err := NewClient(dir).Fleet(context.Background()); !errors.Is(err, ErrDown) {
		t.Errorf("without a socket: %v", err)
	}
	ln, err := net.Listen("unix", filepath.Join(dir, "control.sock"))
	if err != nil {
		t.Fatal(err)
	}
	ln.(*net.UnixListener).SetUnlinkOnClose(false)
	go func() {
		if conn, err := ln.Accept(); err == nil {
			_, _ = http.ReadRequest(bufio.NewReader(conn)) // or the kernel would reset the connection, as for one that is gone
			conn.Close()
		}
	}()
	if _, err := NewClient(dir).Fleet(context.Background()); err == nil || errors.Is(err, ErrDown) {
		t.Errorf("a runner that hangs up: %v", err)
	}
	ln.Close() // what a killed runner leaves
	if err := NewClient(dir).Do(context.Background(), "down", Request{}, func(string) {}); !errors.Is(err, ErrDown) {
		t.Errorf("with the socket of a killed runner: %v", err)
	}
}

package main

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve answers sets and gets, or with one answer all the time.
func serve(t *testing.T, always string) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go answer(conn, always)
		}
	}()
	return ln.Addr().String()
}

func answer(conn net.Conn, always string) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for gets := false; ; {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		text := "STORED\r\n"
		if strings.HasPrefix(line, "get ") {
			gets = true
			text = fmt.Sprintf("VALUE %s 0 64\r\n%s\r\nEND\r\n", strings.TrimSpace(line[4:]), strings.Repeat("x", 64))
		} else if _, err := in.ReadString('\n'); err != nil {
			return
		}
		if gets && always != "" {
			text = always
		}
		if _, err := conn.Write([]byte(text)); err != nil {
			return
		}
	}
}

func TestAnswersAreCountedAndChecked(t *testing.T) {
	o := options{addr: serve(t, ""), conns: 3, pipeline: 4, keys: 250, size: 64, set: 0.5, duration: 100 * time.Millisecond}
	r, err := run(o)
	if err != nil || r.Ops == 0 || r.Errors != 0 || r.P50 <= 0 || r.P99 < r.P50 {
		t.Errorf("%+v, %v", r, err)
	}
	for _, wrong := range []string{"END\r\n", "SERVER_ERROR x\r\n", "VALUE key:0 0 64\r\nshort\r\nEND\r\n" + strings.Repeat("y", 100)} {
		o.addr, o.set = serve(t, wrong), 0
		if r, err := run(o); err != nil || r.Errors != 3 || r.Last == "" {
			t.Errorf("%q: %+v, %v", wrong, r, err)
		}
	}
}

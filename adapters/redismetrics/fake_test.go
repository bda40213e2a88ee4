package redismetrics_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// fake is a Redis that answers as it is told.
type fake struct {
	addr   string
	answer func(command []string) string // what is sent; "" hangs, "-" closes the connection

	mu       sync.Mutex
	open     map[net.Conn]bool
	most     int // connections at a time
	commands [][]string
}

// serve starts a fake on a listener.
func serve(t *testing.T, ln net.Listener, answer func([]string) string) *fake {
	t.Helper()
	f := &fake{addr: ln.Addr().String(), answer: answer, open: map[net.Conn]bool{}}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			f.mu.Lock()
			f.open[c] = true
			f.most = max(f.most, len(f.open))
			f.mu.Unlock()
			all.Go(func() { f.talk(c) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		f.mu.Lock()
		for c := range f.open {
			c.Close()
		}
		f.mu.Unlock()
		all.Wait()
	})
	return f
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

func (f *fake) talk(c net.Conn) {
	defer func() {
		c.Close()
		f.mu.Lock()
		delete(f.open, c)
		f.mu.Unlock()
	}()
	in := bufio.NewReader(c)
	for {
		command, err := read(in)
		if err != nil {
			return
		}
		f.mu.Lock()
		f.commands = append(f.commands, command)
		f.mu.Unlock()
		switch answer := f.answer(command); answer {
		case "":
			_, _ = io.Copy(io.Discard, in) // until the other side has had enough
			return
		case "-":
			return
		default:
			if _, err := io.WriteString(c, answer); err != nil {
				return
			}
		}
	}
}

func (f *fake) peak() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.most
}

// read reads a command: an array of bulk strings.
func read(in *bufio.Reader) ([]string, error) {
	n, err := number(in, '*')
	if err != nil {
		return nil, err
	}
	command := make([]string, n)
	for i := range command {
		length, err := number(in, '$')
		if err != nil {
			return nil, err
		}
		b := make([]byte, length+2)
		if _, err := io.ReadFull(in, b); err != nil {
			return nil, err
		}
		command[i] = string(b[:length])
	}
	return command, nil
}

func number(in *bufio.Reader, kind byte) (int, error) {
	line, err := in.ReadString('\n')
	if err != nil || line[0] != kind {
		return 0, fmt.Errorf("%q, %w", line, err)
	}
	return strconv.Atoi(strings.TrimSpace(line[1:]))
}

func bulk(s string) string { return fmt.Sprintf("$%d\r\n%s\r\n", len(s), s) }

func array(parts ...string) string {
	return fmt.Sprintf("*%d\r\n%s", len(parts), strings.Join(parts, ""))
}

func whole(n int) string { return fmt.Sprintf(":%d\r\n", n) }

// recorded answers as a Redis 7 did.
func recorded(t *testing.T) func([]string) string {
	t.Helper()
	text, err := os.ReadFile("testdata/info.txt")
	if err != nil {
		t.Fatal(err)
	}
	config := map[string]string{"maxmemory": "104857600", "maxclients": "10000", "io-threads": "1", "databases": "16"}
	return func(command []string) string {
		switch strings.ToUpper(strings.Join(command[:min(2, len(command))], " ")) {
		case "INFO ALL":
			return bulk(string(text))
		case "CONFIG GET":
			return array(bulk(command[2]), bulk(config[command[2]]))
		case "SLOWLOG LEN":
			return whole(12)
		case "SLOWLOG GET":
			return array(array(whole(88), whole(1_795_626_897), whole(20_203), array(bulk("debug"), bulk("sleep")), bulk("127.0.0.1:50544"), bulk("")))
		case "LATENCY LATEST":
			return array(array(bulk("command"), whole(1_795_626_897), whole(20), whole(31)))
		case "LATENCY HISTOGRAM":
			return array(bulk("get"), array(bulk("calls"), whole(8), bulk("histogram_usec"), array(whole(2), whole(5), whole(16), whole(8))))
		}
		if strings.EqualFold(command[0], "HELLO") {
			return "-ERR unknown command 'HELLO'\r\n"
		}
		return "+OK\r\n"
	}
}

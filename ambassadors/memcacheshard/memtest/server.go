// Package memtest is a memcached for tests that fails on demand: it can be killed
// and come back empty, hang and go on with what it held, answer late, or talk
// nonsense. It knows as much of the protocol as a router's tests need.
package memtest

import (
	"bufio"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// Server is a memcached on a port of its own, which it keeps when it is killed
// and started again.
type Server struct {
	t    testing.TB
	addr string

	mu       sync.Mutex // guards all below
	changed  sync.Cond
	listener net.Listener
	conns    map[net.Conn]bool
	store    map[string]item
	cas      uint64
	hung     bool
	delay    time.Duration
	nonsense string   // instead of the next answer
	seen     []string // command lines
	accepted int
	wg       sync.WaitGroup
}

// Start starts a server, which ends with the test.
func Start(t testing.TB) *Server {
	t.Helper()
	s := &Server{t: t, conns: map[net.Conn]bool{}, store: map[string]item{}}
	s.changed.L = &s.mu
	s.listen("127.0.0.1:0")
	t.Cleanup(func() {
		s.Resume()
		s.Kill()
		s.wg.Wait()
	})
	return s
}

// Addr is host:port.
func (s *Server) Addr() string { return s.addr }

func (s *Server) listen(addr string) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listener, s.addr = ln, ln.Addr().String()
	s.wg.Go(func() { s.accept(ln) })
}

func (s *Server) accept(ln net.Listener) {
	for {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns[conn] = true
		s.accepted++
		s.changed.Broadcast()
		s.mu.Unlock()
		s.wg.Go(func() { s.serve(conn) })
	}
}

func (s *Server) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		data, err := block(in, line)
		if err != nil {
			return
		}
		if _, err := io.WriteString(conn, s.answer(strings.TrimSpace(line), data)); err != nil {
			return
		}
	}
}

// answer waits while the server hangs.
func (s *Server) answer(line, data string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, line)
	s.changed.Broadcast()
	for s.hung {
		s.changed.Wait()
	}
	if delay := s.delay; delay > 0 {
		s.mu.Unlock()
		time.Sleep(delay) // it is slow
		s.mu.Lock()
	}
	if text := s.nonsense; text != "" {
		s.nonsense = ""
		return text
	}
	return s.execute(strings.Fields(line), data)
}

// Kill ends the server at once: its connections break, and what it held is gone.
func (s *Server) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.listener.Close()
	s.breakAll()
	s.store = map[string]item{}
}

// Break ends all connections; the server goes on with what it holds.
func (s *Server) Break() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.breakAll()
}

func (s *Server) breakAll() {
	for conn := range s.conns {
		_ = conn.(*net.TCPConn).SetLinger(0)
		_ = conn.Close()
		delete(s.conns, conn)
	}
}

// Restart starts a killed server again, empty.
func (s *Server) Restart() { s.listen(s.addr) }

// Hang lets the server take commands and answer nothing, as under SIGSTOP.
func (s *Server) Hang() { s.set(func() { s.hung = true }) }

// Resume ends Hang: what came meanwhile is done.
func (s *Server) Resume() { s.set(func() { s.hung = false }) }

// Delay makes every answer late.
func (s *Server) Delay(d time.Duration) { s.set(func() { s.delay = d }) }

// Say makes the next answer the given text.
func (s *Server) Say(text string) { s.set(func() { s.nonsense = text }) }

func (s *Server) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
	s.changed.Broadcast()
}

// Value is what the server holds under a key, "" for nothing.
func (s *Server) Value(key string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.store[key].value
}

// Put stores a value behind the router's back.
func (s *Server) Put(key, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(key, item{value: value, flags: "0"})
}

// Seen is how many command lines had a beginning.
func (s *Server) Seen(prefix string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count(prefix)
}

func (s *Server) count(prefix string) int {
	n := 0
	for _, line := range s.seen {
		if strings.HasPrefix(line, prefix) {
			n++
		}
	}
	return n
}

// Await waits until so many command lines have had a beginning.
func (s *Server) Await(prefix string, n int) {
	s.t.Helper()
	late := time.AfterFunc(10*time.Second, func() { s.set(func() {}) })
	defer late.Stop()
	end := time.Now().Add(10 * time.Second)
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.count(prefix) < n {
		if time.Now().After(end) {
			s.t.Fatalf("%d commands %s came, want %d, of %q", s.count(prefix), prefix, n, s.seen)
		}
		s.changed.Wait()
	}
}

// Accepted is how many connections there were.
func (s *Server) Accepted() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted
}

package front

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flotilla-dev/flotilla/internal/guard"
	"github.com/flotilla-dev/flotilla/internal/nettest"
)

// A lateListener accepts its one connection at the moment in which it is closed.
type lateListener struct {
	conn   net.Conn
	waits  chan struct{}
	closed chan struct{}
	once   sync.Once
	given  bool
}

func (l *lateListener) Accept() (net.Conn, error) {
	if l.given {
		return nil, net.ErrClosed
	}
	l.given = true
	close(l.waits)
	<-l.closed
	return l.conn, nil
}

func (l *lateListener) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *lateListener) Addr() net.Addr { return l.conn.LocalAddr() }

// echo is a server of which every connection gets back the first byte that it sent.
func echo() *Server {
	return &Server{Guard: guard.New(8, 8), Log: slog.New(slog.DiscardHandler), Handle: func(c *Seated, _ *tls.Conn) {
		defer c.Close()
		_, _ = io.CopyN(c, c, 1) // the client tells what it got
	}}
}

func TestAConnectionAcceptedWhileTheListenerClosesIsServed(t *testing.T) {
	client, accepted := net.Pipe()
	defer client.Close()
	ln := &lateListener{conn: accepted, waits: make(chan struct{}), closed: make(chan struct{})}
	s := echo()
	served, down := make(chan error, 1), make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	<-ln.waits
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	go func() { down <- s.Shutdown(ctx) }()
	if _, err := io.WriteString(client, "a"); err != nil {
		t.Errorf("the connection was closed: %v", err)
	}
	var got [1]byte
	if _, err := io.ReadFull(client, got[:]); err != nil || got[0] != 'a' {
		t.Errorf("%q, %v", got, err)
	}
	client.Close()
	if err := <-down; err != nil {
		t.Error(err)
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
}

// A process may be told to end before it has begun.
func TestAShutdownBeforeTheFirstConnectionEndsServe(t *testing.T) {
	s := echo()
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	ln := nettest.FailOnce(t)
	if err := s.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
	if _, err := ln.Accept(); err == nil {
		t.Error("the listener is open")
	}
}

func TestAnAcceptThatFailsIsTriedAgain(t *testing.T) {
	s, ln := echo(), nettest.FailOnce(t)
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err = io.WriteString(c, "b"); err == nil {
		_, err = io.ReadFull(c, make([]byte, 1))
	}
	if err != nil {
		t.Error(err)
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
}

// A request that does not end is waited for until the deadline, and then cut off.
func TestTheDeadlineOfAShutdownIsKept(t *testing.T) {
	client, accepted := net.Pipe()
	defer client.Close()
	ln := &lateListener{conn: accepted, waits: make(chan struct{}), closed: make(chan struct{})}
	s := echo()
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	<-ln.waits
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the shutdown says %v", err)
	}
	if _, err := client.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the connection says %v", err)
	}
	<-served
}

func TestWhoSharesAListenerHoldsOffUntilThereIsSomebodyToAskButNotForEver(t *testing.T) {
	held := func(t *testing.T, addr string, found <-chan struct{}) (span time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			HoldOff(t.Context(), addr, found)
			span = time.Since(began)
		})
		return span
	}
	found := make(chan struct{})
	close(found)
	for _, c := range []struct {
		addr  string
		found <-chan struct{}
		want  time.Duration
	}{{"127.0.0.1:1", nil, 0}, {"fd:3", found, 0}, {"fd:3", nil, holdOff}} {
		if got := held(t, c.addr, c.found); got != c.want {
			t.Errorf("%s: %v, want %v", c.addr, got, c.want)
		}
	}
}

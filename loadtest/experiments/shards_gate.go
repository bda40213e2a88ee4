package experiments

import (
	"bytes"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// gate is a network that can be made slow, or to lose everything without a word.
type gate struct {
	addr    string
	delay   atomic.Int64 // of every piece on its way back
	swallow atomic.Bool

	mu    sync.Mutex // guards conns
	conns map[net.Conn]bool
}

// openGate passes connections on to an address until the rig is closed.
func openGate(g *rig.Rig, to string) (*gate, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	d := &gate{addr: ln.Addr().String(), conns: map[net.Conn]bool{}}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			near, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { d.pass(near, to) })
		}
	})
	g.Defer(func() {
		_ = ln.Close()
		d.mu.Lock()
		for conn := range d.conns {
			_ = conn.Close()
		}
		d.mu.Unlock()
		wg.Wait()
	})
	return d, nil
}

// pass joins two connections. Where nobody answers, the near one ends: that is
// how a refusal looks from here.
func (d *gate) pass(near net.Conn, to string) {
	defer near.Close()
	far, err := net.Dial("tcp", to)
	if err != nil {
		if d.swallow.Load() {
			return
		}
		_ = near.(*net.TCPConn).SetLinger(0) // a reset, as from a closed port
		return
	}
	defer far.Close()
	d.hold(near, true)
	d.hold(far, true)
	defer d.hold(near, false)
	defer d.hold(far, false)
	var wg sync.WaitGroup
	wg.Go(func() { d.copy(far, near, false) })
	wg.Go(func() { d.copy(near, far, true) })
	wg.Wait()
}

func (d *gate) hold(conn net.Conn, on bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if on {
		d.conns[conn] = true
	} else {
		delete(d.conns, conn)
	}
}

// piece is what one read brought, and when it is passed on.
type piece struct {
	b   []byte
	due time.Time
}

// copy passes pieces on, until either side is gone. A delay makes each late, and
// does not make them wait for each other.
func (d *gate) copy(to, from net.Conn, back bool) {
	pieces := make(chan piece, 1024)
	var wg sync.WaitGroup
	wg.Go(func() {
		defer to.Close()
		for p := range pieces {
			time.Sleep(time.Until(p.due))
			if _, err := to.Write(p.b); err != nil {
				_ = from.Close() // ends the reads below
			}
		}
	})
	b := make([]byte, 64<<10)
	for {
		n, err := from.Read(b)
		if n > 0 && !d.swallow.Load() {
			due := time.Now()
			if back {
				due = due.Add(time.Duration(d.delay.Load()))
			}
			pieces <- piece{bytes.Clone(b[:n]), due}
		}
		if err != nil {
			break
		}
	}
	_ = from.Close()
	close(pieces)
	wg.Wait()
}

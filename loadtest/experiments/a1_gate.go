package experiments

import (
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

// copy passes pieces on, until either side is gone.
func (d *gate) copy(to, from net.Conn, back bool) {
	defer to.Close()
	defer from.Close()
	b := make([]byte, 64<<10)
	for {
		n, err := from.Read(b)
		if n > 0 && !d.swallow.Load() {
			if wait := time.Duration(d.delay.Load()); back && wait > 0 {
				time.Sleep(wait)
			}
			if _, err := to.Write(b[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

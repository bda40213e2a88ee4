package cable

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/flotilla-dev/flotilla/internal/tcpserve"
)

// Direction is where bytes flow; several are or-ed.
type Direction int

// The directions.
const (
	ToServer Direction = 1 << iota
	ToClient
	Both = ToServer | ToClient
)

const (
	// MaxConns bounds the connections at a time; further ones are closed at once.
	MaxConns = 1024
	// dialTimeout bounds how long a client waits for a server that does not answer.
	dialTimeout = 10 * time.Second
	piece       = 32 << 10
)

// Cable listens on loopback and joins what connects with a server.
type Cable struct {
	listener         net.Listener
	network, address string
	running          sync.WaitGroup

	mu      sync.Mutex // guards all below
	closed  bool
	cut     bool
	silent  Direction
	delays  [2]time.Duration // to the server, to the client
	changed chan struct{}    // closed and replaced at every change
	joints  map[*joint]bool
	held    int // directions that wait with something
}

// joint is a client's connection and that to the server for it.
type joint struct {
	client, server net.Conn
	ctx            context.Context // ends with the cut
	cancel         context.CancelFunc
}

// Lay begins to listen for connections to a server. Close the cable.
func Lay(network, address string) (*Cable, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c := &Cable{listener: l, network: network, address: address, changed: make(chan struct{}), joints: map[*joint]bool{}}
	c.running.Go(c.accept)
	return c, nil
}

// Addr is the end to which clients connect.
func (c *Cable) Addr() string { return c.listener.Addr().String() }

// Close ends all connections and returns when nothing of the cable runs any more.
func (c *Cable) Close() {
	_ = c.listener.Close() // nobody listens any more, in any case
	c.change(func() { c.closed, c.cut = true, true })
	c.running.Wait()
}

// Cut ends all connections; new ones are ended as soon as they are accepted.
func (c *Cable) Cut() { c.change(func() { c.cut = true }) }

// Silence lets nothing pass in these directions, and everything in the others.
func (c *Cable) Silence(d Direction) { c.change(func() { c.silent = d }) }

// Delay lets everything in these directions pass so much later.
func (c *Cable) Delay(d Direction, by time.Duration) {
	c.change(func() {
		for i, one := range []Direction{ToServer, ToClient} {
			if d&one != 0 {
				c.delays[i] = by
			}
		}
	})
}

// Mend ends all faults.
func (c *Cable) Mend() {
	c.change(func() { c.cut, c.silent, c.delays = c.closed, 0, [2]time.Duration{} })
}

// Open is how many connections there are.
func (c *Cable) Open() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.joints)
}

// Held is in how many directions of its connections something was sent and has not passed
// yet: what a silence keeps, or a delay.
func (c *Cable) Held() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.held
}

func (c *Cable) hold(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held += n
}

func (c *Cable) change(what func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	what()
	close(c.changed)
	c.changed = make(chan struct{})
	if !c.cut {
		return
	}
	for j := range c.joints {
		j.end()
		delete(c.joints, j)
	}
}

func (c *Cable) accept() {
	for {
		conn, err := c.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(10 * time.Millisecond) // out of descriptors: some may be given back
			continue
		}
		c.running.Go(func() { c.join(conn) })
	}
}

func (c *Cable) join(client net.Conn) {
	j := &joint{client: client}
	j.ctx, j.cancel = context.WithCancel(context.Background())
	defer j.cancel()
	if !c.add(j) {
		_ = client.Close() // that is what a cut cable does
		return
	}
	defer c.remove(j)
	d := net.Dialer{Timeout: dialTimeout}
	server, err := d.DialContext(j.ctx, c.network, c.address)
	if err != nil {
		return // the client's connection is closed, as by a server that is gone
	}
	defer server.Close()
	if !c.connect(j, server) {
		return
	}
	var back sync.WaitGroup
	back.Go(func() { c.pump(j, client, server, ToClient) })
	c.pump(j, server, client, ToServer)
	back.Wait()
}

func (c *Cable) add(j *joint) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut || len(c.joints) >= MaxConns {
		return false
	}
	c.joints[j] = true
	return true
}

// connect gives a joint its second half, unless it was cut before.
func (c *Cable) connect(j *joint, server net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	j.server = server
	return c.joints[j]
}

func (c *Cable) remove(j *joint) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.joints[j] {
		j.end()
		delete(c.joints, j)
	}
}

func (j *joint) end() {
	j.cancel()
	_ = j.client.Close() // whoever still uses it learns it there
	if j.server != nil {
		_ = j.server.Close()
	}
}

// pump copies one direction until its end, and passes that on.
func (c *Cable) pump(j *joint, to, from net.Conn, d Direction) {
	buf := make([]byte, piece)
	for {
		n, err := from.Read(buf)
		if (n > 0 || errors.Is(err, io.EOF)) && !c.pass(j, d) {
			return
		}
		if _, failed := to.Write(buf[:n]); failed != nil || err != nil && !errors.Is(err, io.EOF) {
			c.remove(j) // a broken side breaks the other one
			return
		}
		if err != nil {
			_ = tcpserve.CloseWrite(to) // gone already: it knows
			return
		}
	}
}

// pass waits until something may pass; false: the connection was cut.
func (c *Cable) pass(j *joint, d Direction) bool {
	read := time.Now()
	c.hold(1)
	defer c.hold(-1)
	for {
		c.mu.Lock()
		silent, delay, changed := c.silent&d != 0, c.delays[d-1], c.changed
		c.mu.Unlock()
		left := time.Until(read.Add(delay))
		if !silent && left <= 0 {
			return true
		}
		var due <-chan time.Time // none while it is silent
		if !silent {
			timer := time.NewTimer(left)
			defer timer.Stop()
			due = timer.C
		}
		select {
		case <-due:
		case <-changed:
		case <-j.ctx.Done():
			return false
		}
	}
}

package broker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/flotilla-dev/flotilla/ambassadors/broker/protocol"
	"github.com/flotilla-dev/flotilla/ambassadors/broker/target"
)

// proxy serves the application's connections.
type proxy struct {
	cfg       Config
	log       *slog.Logger
	metrics   *metrics
	directory *directory
	pool      *target.Pool
	links     *target.Links
	own       net.Addr // of the data listener: not to be connected to

	quiet sync.Map // reason of a refusal → time at which it may be logged again
}

// handle serves one connection.
func (p *proxy) handle(ctx context.Context, client net.Conn) {
	began := time.Now()
	keepAlive(client)
	limit, cancel := context.WithTimeout(ctx, p.cfg.ConnectLimit)
	defer cancel()
	t, up, greeting, err := p.connect(limit)
	if err != nil {
		p.refuse(client, err)
		return
	}
	defer up.Close()
	link := p.links.Open(t, func() {
		_ = client.Close() // the relay ends by this
		_ = up.Close()
	})
	defer p.links.Close(link)
	p.metrics.connect.Observe(time.Since(began).Seconds())
	p.metrics.connections.WithLabelValues("proxied").Inc()
	if _, err := client.Write(greeting); err != nil {
		return
	}
	sent, received := relay(client, up, p.cfg.Drain)
	p.metrics.bytes.WithLabelValues("to_database").Add(float64(sent))
	p.metrics.bytes.WithLabelValues("to_application").Add(float64(received) + float64(len(greeting)))
}

// A refusal is why a connection gets no database: kind for the metrics, reason
// for the client.
type refusal struct {
	kind, reason string
}

func (r *refusal) Error() string { return r.reason }

// connect finds a database that answers. With MySQL, whose server speaks first,
// it has greeted too: the greeting is returned, to be passed on.
func (p *proxy) connect(ctx context.Context) (*target.Target, net.Conn, []byte, error) {
	for {
		usable, all, changed := p.pool.Usable()
		for _, t := range usable {
			conn, greeting, err := p.try(ctx, t)
			if err == nil {
				return t, conn, greeting, nil
			}
			if over(ctx) {
				return nil, nil, nil, &refusal{"timeout", "the database does not answer in time"}
			}
		}
		r, _ := p.directory.now()
		switch {
		case r.Pending: // at the start, for the first word of the sources
			select {
			case <-changed:
			case <-ctx.Done():
				return nil, nil, nil, &refusal{"pending", "it is not known yet where the database is: " + r.Note}
			}
		case all == 0:
			return nil, nil, nil, &refusal{"no_target", r.Note}
		default:
			return nil, nil, nil, &refusal{"down", fmt.Sprintf("the database does not answer (%d known of, by %s)", all, r.Source)}
		}
	}
}

// over tells whether the time of ctx has passed. Deadlines of connections may be
// noticed before that of the context.
func over(ctx context.Context) bool {
	deadline, _ := ctx.Deadline()
	return ctx.Err() != nil || !time.Now().Before(deadline)
}

var errSelf = errors.New("this address is the broker itself")

// try connects to one target, and tells it how that went, unless it had less
// time than it may take.
func (p *proxy) try(limit context.Context, t *target.Target) (net.Conn, []byte, error) {
	ctx, cancel := context.WithTimeout(limit, p.cfg.Connect)
	defer cancel()
	conn, greeting, err := p.reach(ctx, t.Address)
	switch {
	case err == nil:
		t.Good()
	case !over(limit):
		t.Bad(err)
	}
	return conn, greeting, err
}

// reach connects to an address and, with MySQL, awaits the greeting.
func (p *proxy) reach(ctx context.Context, address string) (net.Conn, []byte, error) {
	conn, err := dial(ctx, address, p.own)
	if err != nil || p.cfg.Protocol != protocol.MySQL {
		return conn, nil, err
	}
	greeting, err := greet(ctx, conn)
	if err != nil {
		_ = conn.Close()
		return nil, nil, err
	}
	return conn, greeting, nil
}

// dial connects to an address that is not the broker's own.
func dial(ctx context.Context, address string, own net.Addr) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	if isSelf(conn, own) {
		_ = conn.Close()
		return nil, errSelf
	}
	keepAlive(conn)
	return conn, nil
}

// isSelf tells whether a connection comes out at the listener own.
func isSelf(conn net.Conn, own net.Addr) bool {
	to, ok1 := conn.RemoteAddr().(*net.TCPAddr)
	from, ok2 := conn.LocalAddr().(*net.TCPAddr)
	self, ok3 := own.(*net.TCPAddr)
	if !ok1 || !ok2 || !ok3 || to.Port != self.Port {
		return false
	}
	// From an address of this machine to the same one is to this machine.
	return to.IP.Equal(self.IP) || self.IP.IsUnspecified() && (to.IP.IsLoopback() || to.IP.Equal(from.IP))
}

// greet reads the first packet of a MySQL server. One that is full has said so
// to the client; any other error is the target's.
func greet(ctx context.Context, conn net.Conn) ([]byte, error) {
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetReadDeadline(deadline); err != nil {
			return nil, err
		}
	}
	var raw bytes.Buffer
	_, payload, err := protocol.ReadMySQLPacket(io.TeeReader(conn, &raw))
	if err != nil {
		return nil, fmt.Errorf("read greeting: %w", err)
	}
	_, err = protocol.ParseGreeting(payload)
	if err != nil && !protocol.IsFull(err) {
		return nil, err
	}
	return raw.Bytes(), conn.SetReadDeadline(time.Time{})
}

// refuse tells the client why there is no database for it.
func (p *proxy) refuse(client net.Conn, err error) {
	r := &refusal{"internal", "no database"}
	errors.As(err, &r)
	p.metrics.connections.WithLabelValues(r.kind).Inc()
	if p.mayLog(r.kind) {
		p.log.Warn("connection refused", "kind", r.kind, "reason", r.reason)
	}
	ctx, cancel := context.WithTimeout(context.Background(), refuseLimit)
	defer cancel()
	p.cfg.Protocol.Refuse(ctx, client, protocol.Refusal{Reason: "broker: " + r.reason})
}

// refuseLimit is how long a client may take to hear a refusal.
const refuseLimit = time.Second

// mayLog lets one refusal of a kind a second into the log. The kinds are few.
func (p *proxy) mayLog(kind string) bool {
	now := time.Now()
	next, known := p.quiet.Load(kind)
	if known && now.Before(next.(time.Time)) {
		return false
	}
	p.quiet.Store(kind, now.Add(time.Second))
	return true
}

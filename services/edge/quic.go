package edge

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
	h3 "github.com/quic-go/quic-go/http3"

	"github.com/flotilla-dev/flotilla/internal/front"
	"github.com/flotilla-dev/flotilla/internal/guard"
)

// A quicServer serves HTTP/3. It is run beside the process's listeners, which
// are TCP.
type quicServer struct {
	*edge
	udp       net.PacketConn
	transport *quic.Transport
	listener  *quic.EarlyListener
	http      *h3.Server
	rate      handshakeRate

	mu    sync.Mutex // guards seats
	seats map[*quic.Conn]*sharedSeat
}

// openUDP opens a UDP address, or takes over the descriptor of fd:N.
func openUDP(addr string) (net.PacketConn, error) {
	number, inherited := strings.CutPrefix(addr, "fd:")
	if !inherited {
		return net.ListenPacket("udp", addr)
	}
	fd, err := strconv.Atoi(number)
	if err != nil || fd < 3 {
		return nil, fmt.Errorf("listen on fd:%s: want the number of an inherited descriptor, from 3 on", number)
	}
	f := os.NewFile(uintptr(fd), "http3")
	defer f.Close()
	return net.FilePacketConn(f)
}

// newQUIC opens the listener. Settings come from the certificates' store, with
// ALPN "h3".
func newQUIC(e *edge, udp net.PacketConn, config *tls.Config) (*quicServer, error) {
	q := &quicServer{edge: e, udp: udp, seats: map[*quic.Conn]*sharedSeat{}}
	q.transport = &quic.Transport{
		Conn: udp,
		// Under many handshakes a client has to prove its address first, by coming
		// back with a token: an attacker with made-up addresses cannot.
		VerifySourceAddress: func(net.Addr) bool { return q.rate.high(time.Now()) },
	}
	var err error
	q.listener, err = q.transport.ListenEarly(config, &quic.Config{
		HandshakeIdleTimeout:  e.cfg.HandshakeTimeout / 2, // quic-go counts it twice
		MaxIdleTimeout:        e.cfg.IdleTimeout,
		MaxIncomingStreams:    int64(e.cfg.Streams),
		MaxIncomingUniStreams: 8,
		Allow0RTT:             false, // what arrives in 0-RTT can be replayed
	})
	if err != nil {
		return nil, fmt.Errorf("listen for HTTP/3: %w", err)
	}
	q.http = &h3.Server{
		Handler:        &handler{e, http3},
		MaxHeaderBytes: int(e.cfg.HeaderLimit),
		IdleTimeout:    e.cfg.IdleTimeout,
		Logger:         e.log,
		ConnContext: func(ctx context.Context, c *quic.Conn) context.Context {
			q.mu.Lock()
			defer q.mu.Unlock()
			return withSession(ctx, &session{
				peer: newPeer(front.Remote(c.RemoteAddr()), e.trusted), sni: serverName(c.ConnectionState().TLS), seat: q.seats[c],
			})
		},
	}
	return q, nil
}

// serve accepts connections until shutdown.
func (q *quicServer) serve() error {
	err := q.http.ServeListener(q)
	if errors.Is(err, http.ErrServerClosed) || errors.Is(err, quic.ErrServerClosed) || errors.Is(err, quic.ErrTransportClosed) {
		return nil
	}
	return err
}

// Accept returns the next connection that the guard has a seat for.
func (q *quicServer) Accept(ctx context.Context) (*quic.Conn, error) {
	for {
		c, err := q.listener.Accept(ctx)
		if err != nil {
			return nil, err
		}
		excess := func() { _ = c.CloseWithError(quic.ApplicationErrorCode(h3.ErrCodeExcessiveLoad), "") }
		seat := q.guard.Admit(front.Remote(c.RemoteAddr()), func() { go excess() })
		if seat == nil {
			excess()
			continue
		}
		seat.Enter(guard.Idle)
		q.mu.Lock()
		q.seats[c] = &sharedSeat{Seat: seat}
		q.mu.Unlock()
		context.AfterFunc(c.Context(), func() {
			seat.Leave()
			q.mu.Lock()
			defer q.mu.Unlock()
			delete(q.seats, c)
		})
		return c, nil
	}
}

// Addr is the UDP address.
func (q *quicServer) Addr() net.Addr { return q.udp.LocalAddr() }

// Close ends Accept; it is part of the listener that the HTTP/3 server sees.
func (q *quicServer) Close() error { return q.listener.Close() }

// shutdown sends GOAWAY, waits for requests in progress until ctx ends, and
// closes everything.
func (q *quicServer) shutdown(ctx context.Context) error {
	err := q.http.Shutdown(ctx)
	return errors.Join(ignore(err, context.DeadlineExceeded), q.listener.Close(), q.transport.Close(), ignore(q.udp.Close(), net.ErrClosed))
}

func ignore(err, expected error) error {
	if errors.Is(err, expected) {
		return nil
	}
	return err
}

// A handshakeRate counts new connections by the second.
type handshakeRate struct {
	second atomic.Int64
	count  atomic.Int64
}

// manyHandshakes in a second make clients prove their addresses.
const manyHandshakes = 200

func (r *handshakeRate) high(now time.Time) bool {
	if second := now.Unix(); r.second.Swap(second) != second {
		r.count.Store(0)
	}
	return r.count.Add(1) > manyHandshakes
}

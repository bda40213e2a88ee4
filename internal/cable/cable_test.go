package cable_test

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/internal/cable"
	"github.com/flotilla-dev/flotilla/internal/nettest"

	"github.com/flotilla-dev/flotilla/internal/await"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long something that must happen may take.
const patience = 20 * time.Second

// peers are both ends of one connection through a cable.
type peers struct {
	cable          *cable.Cable
	client, server *net.TCPConn
}

// connect lays a cable to a server that is the test itself.
func connect(t *testing.T) *peers {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	c := lay(t, l.Addr().String())
	p := &peers{cable: c, client: dial(t, c.Addr())}
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	p.server = conn.(*net.TCPConn)
	t.Cleanup(func() { _ = p.server.Close() })
	bound(t, p.server)
	return p
}

func lay(t *testing.T, address string) *cable.Cable {
	t.Helper()
	c, err := cable.Lay("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func dial(t *testing.T, addr string) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	bound(t, conn)
	return conn.(*net.TCPConn)
}

func bound(t *testing.T, conn net.Conn) {
	t.Helper()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
}

func send(t *testing.T, to net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(to, text); err != nil {
		t.Fatal(err)
	}
}

func receive(t *testing.T, from net.Conn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(from, got); err != nil || string(got) != want {
		t.Fatalf("%q, %v, want %q", got, err, want)
	}
}

// nothing looks for a short while, after which it would have arrived on any machine that
// is not very busy: it cannot fail wrongly.
func nothing(t *testing.T, from net.Conn) {
	t.Helper()
	if err := from.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := from.Read(make([]byte, 1)); n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("%d bytes, %v", n, err)
	}
	bound(t, from)
}

func ends(t *testing.T, conn net.Conn) {
	t.Helper()
	if n, err := conn.Read(make([]byte, 1)); n > 0 || err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("%d bytes, %v: it goes on", n, err)
	}
}

func TestEverythingPassesBothWaysAndHalfClosesToo(t *testing.T) {
	p := connect(t)
	send(t, p.client, "question")
	if err := p.client.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	receive(t, p.server, "question")
	ends(t, p.server)
	send(t, p.server, "answer")
	receive(t, p.client, "answer")
	_ = p.server.Close()
	ends(t, p.client)
}

func TestACutEndsWhatIsOpenAndWhatComes(t *testing.T) {
	p := connect(t)
	p.cable.Cut()
	ends(t, p.client)
	ends(t, p.server)
	ends(t, dial(t, p.cable.Addr()))
	if n := p.cable.Open(); n != 0 {
		t.Errorf("%d connections are open", n)
	}
}

func TestAMendedCableTakesNewConnections(t *testing.T) {
	addr := nettest.Serve(t, func(conn net.Conn) { _, _ = io.Copy(conn, conn) })
	c := lay(t, addr)
	c.Cut()
	ends(t, dial(t, c.Addr()))
	c.Mend()
	client := dial(t, c.Addr())
	send(t, client, "again")
	receive(t, client, "again")
	_ = client.Close()
}

func TestASilentDirectionKeepsWhatWasSent(t *testing.T) {
	for _, d := range []struct {
		name     string
		silent   cable.Direction
		from, to func(*peers) *net.TCPConn
	}{
		{"to the server", cable.ToServer, (*peers).asClient, (*peers).asServer},
		{"to the client", cable.ToClient, (*peers).asServer, (*peers).asClient},
	} {
		t.Run(d.name, func(t *testing.T) {
			p := connect(t)
			p.cable.Silence(d.silent)
			send(t, d.from(p), "late")
			send(t, d.to(p), "the other way")
			receive(t, d.from(p), "the other way")
			nothing(t, d.to(p))
			if n := p.cable.Held(); n != 1 {
				t.Errorf("%d directions hold something", n)
			}
			p.cable.Mend()
			receive(t, d.to(p), "late")
			// It has passed a moment before it is no longer counted.
			await.That(t, "nothing is held", func() bool { return p.cable.Held() == 0 })
		})
	}
}

func (p *peers) asClient() *net.TCPConn { return p.client }
func (p *peers) asServer() *net.TCPConn { return p.server }

func TestTheEndIsSilentToo(t *testing.T) {
	p := connect(t)
	p.cable.Silence(cable.ToServer)
	_ = p.client.Close()
	nothing(t, p.server)
	p.cable.Mend()
	ends(t, p.server)
}

func TestASilentConnectionCanBeCut(t *testing.T) {
	p := connect(t)
	p.cable.Silence(cable.Both)
	send(t, p.client, "lost")
	nothing(t, p.server)
	p.cable.Cut()
	ends(t, p.server)
	ends(t, p.client)
}

func TestADelayIsWaitedForAndEndsWhenItIsMended(t *testing.T) {
	p := connect(t)
	p.cable.Delay(cable.ToServer, 100*time.Millisecond)
	began := time.Now()
	send(t, p.client, "slow")
	receive(t, p.server, "slow")
	if took := time.Since(began); took < 100*time.Millisecond {
		t.Errorf("it took %s", took)
	}
	p.cable.Delay(cable.Both, time.Hour)
	send(t, p.client, "slower")
	send(t, p.server, "slower")
	nothing(t, p.server)
	p.cable.Mend()
	receive(t, p.server, "slower")
	receive(t, p.client, "slower")
}

func TestAServerThatRefusesEndsTheClient(t *testing.T) {
	ends(t, dial(t, lay(t, nettest.Refuse(t)).Addr()))
}

func TestAServerThatBreaksBreaksTheClient(t *testing.T) {
	p := connect(t)
	if err := p.server.SetLinger(0); err != nil {
		t.Fatal(err)
	}
	_ = p.server.Close() // a reset
	ends(t, p.client)
}

func TestMoreConnectionsThanTheBoundAreEnded(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: -short: not a thousand connections are opened")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := lay(t, l.Addr().String())
	for range cable.MaxConns {
		dial(t, c.Addr())
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	ends(t, dial(t, c.Addr()))
}

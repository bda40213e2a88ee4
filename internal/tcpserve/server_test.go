package tcpserve

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start serves on a free port until the test ends.
func start(t *testing.T, s *Server) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(ln) }()
	t.Cleanup(func() {
		s.Close()
		if err := <-done; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Serve returned %v", err)
		}
	})
	return ln.Addr().String()
}

func dial(t *testing.T, addr string) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn.(*net.TCPConn)
}

// echo answers lines in capitals until the client or the server has enough.
func echo(ctx context.Context, conn net.Conn) {
	defer Finish(ctx, conn)()
	in := bufio.NewReader(conn)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		if _, err := conn.Write([]byte(strings.ToUpper(line))); err != nil {
			return
		}
	}
}

func send(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
}

func expect(t *testing.T, conn net.Conn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != want {
		t.Fatalf("got %q, %v, want %q", got, err, want)
	}
}

func expectEnd(t *testing.T, conn net.Conn) {
	t.Helper()
	if rest, err := io.ReadAll(conn); err != nil || len(rest) > 0 {
		t.Fatalf("got %q, %v, want the end of the connection", rest, err)
	}
}

func TestConnectionsOverTheLimitAreRefusedAndTheNextIsServed(t *testing.T) {
	s := &Server{MaxConns: 2, Handle: echo, Refuse: func(conn net.Conn) { _, _ = io.WriteString(conn, "full\n") }}
	addr := start(t, s)
	first, second := dial(t, addr), dial(t, addr)
	for _, conn := range []net.Conn{first, second} {
		send(t, conn, "a\n")
		expect(t, conn, "A\n")
	}
	third := dial(t, addr)
	expect(t, third, "full\n")
	expectEnd(t, third)
	if s.Open() != 2 || s.Accepted() != 2 || s.Refused() != 1 {
		t.Errorf("open %d, accepted %d, refused %d", s.Open(), s.Accepted(), s.Refused())
	}
	first.CloseWrite()
	expectEnd(t, first) // and so its place is free, or will be in a moment
	for {
		fourth := dial(t, addr)
		send(t, fourth, "b\n")
		if line, _ := bufio.NewReader(fourth).ReadString('\n'); line == "B\n" {
			return
		}
	}
}

func TestHalfClosedClientGetsItsAnswers(t *testing.T) {
	addr := start(t, &Server{Handle: echo})
	conn := dial(t, addr)
	send(t, conn, "a\nb\nc\n")
	if err := CloseWrite(conn); err != nil {
		t.Fatal(err)
	}
	expect(t, conn, "A\nB\nC\n")
	expectEnd(t, conn)
}

func TestShutdownEndsIdleConnectionsAndAnswersWhatWasSent(t *testing.T) {
	begun, answer := make(chan struct{}), make(chan struct{})
	s := &Server{Handle: func(ctx context.Context, conn net.Conn) {
		defer Finish(ctx, conn)()
		in := bufio.NewReader(conn)
		if _, err := in.ReadString('\n'); err != nil {
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("an idle connection ended with %v", err)
			}
			return
		}
		close(begun)
		<-answer
		_, _ = io.WriteString(conn, "done\n")
	}}
	addr := start(t, s)
	idle, busy := dial(t, addr), dial(t, addr)
	send(t, busy, "work\n")
	<-begun
	ended := make(chan error, 1)
	go func() { ended <- s.Shutdown(context.Background()) }()
	expectEnd(t, idle)
	if conn, err := net.Dial("tcp", addr); err == nil {
		conn.Close()
		t.Error("a connection was accepted after Shutdown")
	}
	select {
	case err := <-ended:
		t.Fatalf("Shutdown returned %v with a request in flight", err)
	default:
	}
	close(answer)
	expect(t, busy, "done\n")
	expectEnd(t, busy)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestWhatIsNotFinishedIsCutOffByClose(t *testing.T) {
	begun := make(chan struct{})
	s := &Server{Handle: func(_ context.Context, conn net.Conn) {
		close(begun)
		_, _ = io.Copy(io.Discard, conn) // never heeds its context
	}}
	addr := start(t, s)
	conn := dial(t, addr)
	<-begun
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown returned %v", err)
	}
	if err := s.Close(); err != nil || s.Open() != 0 {
		t.Errorf("%v, %d are open", err, s.Open())
	}
	expectEnd(t, conn)
}

func TestServeAfterShutdownClosesItsListener(t *testing.T) {
	s := &Server{Handle: echo}
	if err := s.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(ln); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Serve returned %v", err)
	}
	if _, err := net.Dial("tcp", ln.Addr().String()); err == nil {
		t.Error("the listener is still open")
	}
}

// failing fails to accept a few times, as without file descriptors.
type failing struct {
	net.Listener
	left int
}

func (f *failing) Accept() (net.Conn, error) {
	if f.left > 0 {
		f.left--
		return nil, errors.New("too many open files")
	}
	return f.Listener.Accept()
}

func TestAFailureToAcceptPasses(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Handle: echo}
	done := make(chan error, 1)
	go func() { done <- s.Serve(&failing{ln, 2}) }()
	conn := dial(t, ln.Addr().String())
	send(t, conn, "a\n")
	expect(t, conn, "A\n")
	s.Close()
	<-done
}

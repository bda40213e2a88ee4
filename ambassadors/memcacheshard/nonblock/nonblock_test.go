package nonblock

import (
	"io"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pair is a TCP connection by its two ends.
func pair(t *testing.T) (near, far *net.TCPConn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	other, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		other.Close()
	})
	other.SetDeadline(time.Now().Add(10 * time.Second))
	return conn.(*net.TCPConn), other.(*net.TCPConn)
}

func TestAWriteToAPeerThatDoesNotReadReturns(t *testing.T) {
	t.Parallel()
	near, far := pair(t)
	w := NewWriter(near)
	b := make([]byte, 1<<20)
	written := 0
	for {
		n, err := w.Write(b)
		if err != nil {
			t.Fatal(err)
		}
		if written += n; n < len(b) {
			break
		}
	}
	if n, err := w.Write(b); n != 0 || err != nil {
		t.Errorf("a full connection takes %d bytes, %v", n, err)
	}
	if _, err := io.CopyN(io.Discard, far, int64(written)); err != nil {
		t.Errorf("of %d bytes: %v", written, err)
	}
	if n, err := w.Write(b[:10]); n != 10 || err != nil {
		t.Errorf("it has room again, and takes %d bytes, %v", n, err)
	}
}

func TestAWriteToAPeerThatIsGoneIsAnError(t *testing.T) {
	t.Parallel()
	near, far := pair(t)
	far.SetLinger(0)
	far.Close()
	w := NewWriter(near)
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		if _, err := w.Write([]byte("x")); err != nil {
			return
		}
	}
	t.Error("there is none")
}

func TestAbortEndsReadsAndWritesAtBothEnds(t *testing.T) {
	t.Parallel()
	near, far := pair(t)
	read := make(chan error, 1)
	go func() {
		_, err := near.Read(make([]byte, 1))
		read <- err
	}()
	Abort(near)
	if err := <-read; err != io.EOF {
		t.Errorf("the reader gets %v", err)
	}
	if _, err := NewWriter(near).Write([]byte("x")); err == nil {
		t.Error("a write succeeds")
	}
	if _, err := far.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the peer gets %v", err)
	}
}

func TestWhatIsNoSocketIsNotWrittenTo(t *testing.T) {
	t.Parallel()
	a, b := net.Pipe()
	defer b.Close()
	if n, err := NewWriter(a).Write([]byte("x")); n != 0 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	Abort(a)
	if _, err := b.Read(make([]byte, 1)); err == nil {
		t.Error("it goes on")
	}
}

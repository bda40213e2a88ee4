package tcpserve

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// pair returns both ends of a TCP connection, the first one direct.
func pair(t *testing.T) (Direct, *net.TCPConn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	far := dial(t, ln.Addr().String())
	near, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close() })
	return NewDirect(near), far
}

func TestAPeerThatIsGoneIsAnError(t *testing.T) {
	d, far := pair(t)
	_ = far.SetLinger(0)
	far.Close()
	if n, err := d.Read(make([]byte, 10)); n != 0 || err == nil {
		t.Errorf("read %d, %v", n, err)
	}
	if _, err := d.Write([]byte("x")); err == nil {
		t.Error("written")
	}
	d.Close()
	if _, err := d.TryWrite([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if _, err := d.Read(make([]byte, 10)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestCloseEndsAReadThatWaits(t *testing.T) {
	d, _ := pair(t)
	ended := make(chan error, 1)
	go func() {
		_, err := d.Read(make([]byte, 10))
		ended <- err
	}()
	d.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("it ended with %v", err)
	}
}

func TestDeadlinesHold(t *testing.T) {
	d, _ := pair(t)
	_ = d.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	if _, err := d.Read(make([]byte, 10)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read: %v", err)
	}
	_ = d.SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
	n, err := d.Write(make([]byte, 64<<20)) // more than any buffer takes
	if !errors.Is(err, os.ErrDeadlineExceeded) || n == 0 {
		t.Errorf("write: %d, %v", n, err)
	}
}

func TestWhatThePeerDoesNotTakeAtOnceIsLeft(t *testing.T) {
	d, far := pair(t)
	text := bytes.Repeat([]byte("0123456789"), 12<<17)
	sent := 0
	for {
		n, err := d.TryWrite(text[sent:])
		if err != nil {
			t.Fatal(err)
		}
		sent += n
		if n == 0 {
			break
		}
	}
	if sent == 0 || sent == len(text) {
		t.Fatalf("%d of %d bytes were taken by a peer that does not read", sent, len(text))
	}
	written := make(chan error, 1)
	go func() {
		_, err := d.Write(text[sent:]) // waits for the peer
		written <- errors.Join(err, CloseWrite(d))
	}()
	got, err := io.ReadAll(far)
	if err != nil || !bytes.Equal(got, text) {
		t.Errorf("%d bytes came, %v", len(got), err)
	}
	if err := <-written; err != nil {
		t.Error(err)
	}
}

func TestReadsEndWithTheDirection(t *testing.T) {
	d, far := pair(t)
	send(t, far, "hello")
	far.CloseWrite()
	if got, err := io.ReadAll(d); err != nil || string(got) != "hello" {
		t.Errorf("%q, %v", got, err)
	}
	if n, err := d.Read(nil); n != 0 || err != nil {
		t.Errorf("nothing was asked for: %d, %v", n, err)
	}
}

func TestBothDirectionsWorkAtATime(t *testing.T) {
	d, far := pair(t)
	text := strings.Repeat("abc", 1<<20)
	go func() {
		_, _ = io.Copy(far, far) // until d says no more
		far.CloseWrite()
	}()
	go func() {
		_, _ = io.WriteString(d, text)
		_ = CloseWrite(d)
	}()
	if got, err := io.ReadAll(d); err != nil || string(got) != text {
		t.Errorf("%d bytes came back, %v", len(got), err)
	}
}

func TestWhatIsNotTCPWritesNothingWithoutWaiting(t *testing.T) {
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	d := NewDirect(near)
	if n, err := d.TryWrite([]byte("x")); n != 0 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if err := CloseWrite(d); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("%v", err)
	}
}

func TestDirectTransfersDoNotAllocate(t *testing.T) {
	d, far := pair(t)
	go func() { _, _ = io.Copy(far, far) }()
	b := []byte("0123456789")
	if n := testing.AllocsPerRun(100, func() {
		if _, err := d.TryWrite(b); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Read(b); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

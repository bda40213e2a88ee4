package link

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/ambassadors/memcacheshard/memtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// inbox is a receiver that keeps what it gets, in order.
type inbox struct{ got chan string }

func newInbox() *inbox { return &inbox{make(chan string, 100_000)} }

func (b *inbox) Answer(t Token, answer []byte) bool {
	b.got <- fmt.Sprintf("%d %q", t.Seq, answer)
	return false
}

func (b *inbox) Fail(t Token, err error) bool {
	b.got <- fmt.Sprintf("%d %v", t.Seq, err)
	return false
}

func (b *inbox) Flush() {}

func (b *inbox) expect(t *testing.T, want string) {
	t.Helper()
	select {
	case got := <-b.got:
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	case <-time.After(10 * time.Second):
		t.Fatalf("%s did not come", want)
	}
}

// events counts what the link is said to have done.
type events struct {
	mu     sync.Mutex // guards all below
	failed []error
	worked int
}

func start(t *testing.T, o Options) (*Link, *events) {
	t.Helper()
	e := &events{}
	o.MaxAnswer = 1 << 20
	if o.MaxCalls == 0 {
		o.MaxCalls, o.MaxBytes = 1000, 1<<20
	}
	o.Failed = func(err error) {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.failed = append(e.failed, err)
	}
	o.Worked = func(took []time.Duration) {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.worked += len(took)
	}
	l := New(o)
	t.Cleanup(l.Close)
	return l, e
}

func (e *events) expect(t *testing.T, want ...error) {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	if fmt.Sprint(e.failed) != fmt.Sprint(want) {
		t.Errorf("failures %v, want %v", e.failed, want)
	}
}

func send(t *testing.T, l *Link, to Receiver, seq uint64, text string) error {
	t.Helper()
	err := l.Send(time.Now(), []byte(text), nil, Call{To: to, Token: Token{Seq: seq}})
	l.Flush()
	return err
}

func TestAnswersComeInOrderToTheirReceivers(t *testing.T) {
	s := memtest.Start(t)
	l, e := start(t, Options{Addr: s.Addr(), Timeout: 5 * time.Second})
	a, b := newInbox(), newInbox()
	s.Put("k", "v")
	for i, to := range []*inbox{a, b, a} {
		if err := send(t, l, to, uint64(i), "get k\r\n"); err != nil {
			t.Fatal(err)
		}
	}
	if err := send(t, l, nil, 3, "get k\r\n"); err != nil { // nobody wants it
		t.Fatal(err)
	}
	_ = send(t, l, b, 4, "version\r\n")
	const v = `"VALUE k 0 1\r\nv\r\nEND\r\n"`
	a.expect(t, "0 "+v)
	a.expect(t, "2 "+v)
	b.expect(t, "1 "+v)
	b.expect(t, `4 "VERSION 1.6.18\r\n"`)
	e.expect(t)
	if s.Accepted() != 1 || !l.Connected() {
		t.Errorf("%d connections", s.Accepted())
	}
}

func TestAHungServerFailsAllThatWaitsOnceAndIsDialledAgain(t *testing.T) {
	s := memtest.Start(t)
	l, e := start(t, Options{Addr: s.Addr(), Timeout: 200 * time.Millisecond})
	to := newInbox()
	s.Hang()
	for i := range uint64(3) {
		if err := send(t, l, to, i, "get k\r\n"); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 3 {
		to.expect(t, fmt.Sprint(i, " ", ErrTimeout))
	}
	e.expect(t, ErrTimeout)
	s.Resume()
	_ = send(t, l, to, 9, "version\r\n")
	to.expect(t, `9 "VERSION 1.6.18\r\n"`)
}

// A server whose queue of connections is full answers no packet: as if its
// machine were gone.
func TestAServerThatCannotBeReachedIsGivenUpInTime(t *testing.T) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), syscall.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	addr := fmt.Sprintf("127.0.0.1:%d", name.(*syscall.SockaddrInet4).Port)
	for { // fill the queue
		conn, err := net.DialTimeout("tcp", addr, 200*time.Millisecond)
		if err != nil {
			break
		}
		defer conn.Close()
	}
	l, e := start(t, Options{Addr: addr, Timeout: 300 * time.Millisecond})
	to := newInbox()
	begin := time.Now()
	if err := send(t, l, to, 1, "get k\r\n"); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-to.got:
		if got != fmt.Sprint("1 ", ErrTimeout) && got != fmt.Sprint("1 ", ErrDown) {
			t.Errorf("got %s", got)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the request waits for ever")
	}
	if took := time.Since(begin); took < 250*time.Millisecond || took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	if e.mu.Lock(); len(e.failed) != 1 {
		t.Errorf("failures %v", e.failed)
	}
	e.mu.Unlock()
}

func TestAServerThatIsDownIsNotDialledForEveryRequest(t *testing.T) {
	s := memtest.Start(t)
	s.Kill()
	l, e := start(t, Options{Addr: s.Addr(), Timeout: 5 * time.Second})
	to := newInbox()
	if err := send(t, l, to, 1, "get k\r\n"); err != nil {
		t.Fatal(err)
	}
	to.expect(t, fmt.Sprint("1 ", ErrDown))
	refused := 0
	for range 1000 {
		if err := send(t, l, to, 2, "get k\r\n"); errors.Is(err, ErrDown) {
			refused++
		}
	}
	if refused == 0 {
		t.Error("every request was taken for a dial")
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.failed) > 100 {
		t.Errorf("%d dials failed", len(e.failed))
	}
}

func TestAFullLinkRefusesAndThenHasRoom(t *testing.T) {
	s := memtest.Start(t)
	l, _ := start(t, Options{Addr: s.Addr(), Timeout: 10 * time.Second, MaxCalls: 2, MaxBytes: 1 << 20})
	to := newInbox()
	s.Hang()
	for i := range uint64(2) {
		if err := send(t, l, to, i, "version\r\n"); err != nil {
			t.Fatal(err)
		}
	}
	if err := send(t, l, to, 2, "version\r\n"); !errors.Is(err, ErrBusy) {
		t.Errorf("the third is taken: %v", err)
	}
	room := make(chan struct{})
	go func() {
		l.Room()
		close(room)
	}()
	s.Resume()
	<-room
	if err := send(t, l, to, 3, "version\r\n"); err != nil {
		t.Error(err)
	}
	for _, i := range []int{0, 1, 3} {
		to.expect(t, fmt.Sprint(i, ` "VERSION 1.6.18\r\n"`))
	}
}

func TestWhoWaitsForRoomIsLetGoWhenTheServerIsGivenUp(t *testing.T) {
	s := memtest.Start(t)
	l, e := start(t, Options{Addr: s.Addr(), Timeout: 300 * time.Millisecond, MaxCalls: 1000, MaxBytes: 64 << 10})
	to := newInbox()
	s.Hang()
	large := "set k 0 0 8000000\r\n" + strings.Repeat("x", 8_000_000) + "\r\n" // more than sockets hold
	for i := uint64(0); i < 3; i++ {                                           // the first is being written, the second waits for it, the third finds no room
		if errors.Is(send(t, l, to, i, large), ErrBusy) {
			l.Room()
		}
	}
	to.expect(t, fmt.Sprint("0 ", ErrTimeout))
	e.expect(t, ErrTimeout)
}

func TestCloseFailsWhatIsOnTheLink(t *testing.T) {
	s := memtest.Start(t)
	l, e := start(t, Options{Addr: s.Addr(), Timeout: 10 * time.Second})
	to := newInbox()
	s.Hang()
	_ = send(t, l, to, 1, "get k\r\n")
	s.Await("get k", 1)
	l.Close()
	to.expect(t, fmt.Sprint("1 ", ErrClosed))
	if err := send(t, l, to, 2, "get k\r\n"); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	e.expect(t)
}

func TestALostConnectionIsOneFailureForAllThatWasOnIt(t *testing.T) {
	s := memtest.Start(t)
	l, e := start(t, Options{Addr: s.Addr(), Timeout: 10 * time.Second})
	to := newInbox()
	_ = send(t, l, to, 0, "version\r\n")
	to.expect(t, `0 "VERSION 1.6.18\r\n"`)
	s.Hang()
	for i := range uint64(5) {
		_ = send(t, l, to, i, "get k\r\n")
	}
	s.Await("get k", 1)
	s.Break()
	for i := range 5 {
		to.expect(t, fmt.Sprint(i, " ", ErrLost))
	}
	e.expect(t, ErrLost)
}

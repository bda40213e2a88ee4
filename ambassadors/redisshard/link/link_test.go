package link

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/ambassadors/redisshard/resp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server is the far end of a link: what it reads is what the test takes from
// read, and it says what the test writes.
type server struct {
	net.Conn
	in *resp.Commands
}

// read returns the next command as words.
func (s *server) read(t *testing.T) string {
	t.Helper()
	for {
		cmd, ok, err := s.in.Next()
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			var words []string
			for _, arg := range cmd.Args {
				words = append(words, string(arg))
			}
			return strings.Join(words, " ")
		}
		if _, err := s.in.Fill(s.Conn); err != nil {
			t.Fatal(err)
		}
	}
}

func (s *server) say(t *testing.T, text string) {
	t.Helper()
	if _, err := io.WriteString(s.Conn, text); err != nil {
		t.Fatal(err)
	}
}

// client is a Receiver that notes what it gets.
type client struct {
	mu      sync.Mutex
	got     []string
	flushes int
	changed chan struct{}
}

func newClient() *client { return &client{changed: make(chan struct{}, 1000)} }

func (c *client) Answer(t Token, reply []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.got = append(c.got, fmt.Sprintf("%d.%d %s", t.Seq, t.Part, strings.TrimSpace(string(reply))))
	return true
}

func (c *client) Flush() {
	c.mu.Lock()
	c.flushes++
	c.mu.Unlock()
	c.changed <- struct{}{}
}

// await waits until n replies have come, and returns them.
func (c *client) await(t *testing.T, n int) string {
	t.Helper()
	for {
		c.mu.Lock()
		got := strings.Join(c.got, ", ")
		enough := len(c.got) >= n
		c.mu.Unlock()
		if enough {
			return got
		}
		select {
		case <-c.changed:
		case <-time.After(10 * time.Second):
			t.Fatalf("only %q came", got)
		}
	}
}

// ends notes why a link ended.
type ends chan error

// open returns a link and its far end.
func open(t *testing.T, change func(*Options)) (*Link, *server, ends) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	ended := make(ends, 1)
	var group sync.WaitGroup
	o := Options{
		Dial: func(ctx context.Context) (net.Conn, func([]byte) []byte, error) {
			conn, err := new(net.Dialer).DialContext(ctx, "tcp", ln.Addr().String())
			return conn, nil, err
		},
		Timeout: time.Hour, MaxReply: 1000, MaxFlight: 100, MaxBacklog: 1 << 20,
		Failure: func(err error) []byte { return []byte("-" + err.Error() + "\r\n") },
		Ended:   func(_ *Link, err error, _ int) { ended <- err },
		Replied: func([]byte) {}, Took: func(time.Duration) {}, Group: &group,
	}
	if change != nil {
		change(&o)
	}
	l := New(t.Context(), o)
	conn, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	t.Cleanup(func() {
		conn.Close()
		l.End(ErrClosed)
		group.Wait()
	})
	return l, &server{conn, resp.NewCommands(1 << 20)}, ended
}

func send(t *testing.T, l *Link, c *client, seq uint64, words ...string) {
	t.Helper()
	if err := l.Send(Now(), resp.AppendCommand(nil, words...), Request{To: c, Token: Token{Seq: seq}}); err != nil {
		t.Fatal(err)
	}
}

func TestEverythingInFlightFailsWhenTheConnectionIsLost(t *testing.T) {
	l, s, ended := open(t, nil)
	a, b := newClient(), newClient()
	send(t, l, a, 1, "GET", "x")
	send(t, l, b, 1, "GET", "y")
	send(t, l, a, 2, "GET", "z")
	s.read(t)
	s.say(t, "$1\r\nx\r\n$") // and half a reply
	a.await(t, 1)
	s.Close()
	if err := <-ended; !errors.Is(err, io.EOF) && !strings.Contains(err.Error(), "reset") {
		t.Errorf("it ended with %v", err)
	}
	if got := a.await(t, 2); !strings.HasPrefix(got, "1.0 $1\r\nx, 2.0 -") {
		t.Errorf("a got %q", got)
	}
	if got := b.await(t, 1); !strings.HasPrefix(got, "1.0 -") {
		t.Errorf("b got %q", got)
	}
	if err := l.Send(Now(), nil, Request{To: a}); err == nil {
		t.Error("a link that has ended took a request")
	}
}

func TestRepliesGoToThoseWhoAsked(t *testing.T) {
	l, s, _ := open(t, nil)
	a, b := newClient(), newClient()
	send(t, l, a, 7, "GET", "x")
	send(t, l, b, 9, "GET", "y")
	send(t, l, a, 8, "GET", "z")
	if got := s.read(t) + s.read(t) + s.read(t); got != "GET xGET yGET z" {
		t.Fatalf("the server read %q", got)
	}
	s.say(t, ":1\r\n:2\r\n:3\r\n")
	if got := a.await(t, 2); got != "7.0 :1, 8.0 :3" {
		t.Errorf("a got %q", got)
	}
	if got := b.await(t, 1); got != "9.0 :2" {
		t.Errorf("b got %q", got)
	}
	if l.InFlight() != 0 {
		t.Errorf("%d are in flight", l.InFlight())
	}
}

func TestNobodyComesBetweenTheRequestsOfOneSend(t *testing.T) {
	l, s, _ := open(t, nil)
	var wg sync.WaitGroup
	const senders = 8
	for n := range senders {
		wg.Go(func() {
			c := newClient()
			name := fmt.Sprint("c", n)
			for range 20 {
				bytes := append(resp.AppendCommand(nil, "A", name), resp.AppendCommand(nil, "B", name)...)
				if err := l.Send(Now(), bytes, Request{}, Request{To: c}); err != nil {
					t.Error(err)
				}
			}
			c.await(t, 20)
		})
	}
	for range senders * 20 {
		a, b := s.read(t), s.read(t)
		if a[:1] != "A" || b[:1] != "B" || a[1:] != b[1:] {
			t.Errorf("%q came between", a+", "+b)
		}
		s.say(t, "+a\r\n+b\r\n")
	}
	wg.Wait()
}

func TestTheOldestRequestThatWaitsTooLongEndsTheLink(t *testing.T) {
	l, s, ended := open(t, func(o *Options) { o.Timeout = time.Second })
	a := newClient()
	at := Now()
	if err := l.Send(at, resp.AppendCommand(nil, "GET", "x"), Request{To: a, Token: Token{Seq: 1}}); err != nil {
		t.Fatal(err)
	}
	s.read(t)
	l.Check(at + time.Second)
	if l.InFlight() != 1 {
		t.Fatal("it ended before its time")
	}
	l.Check(at + time.Second + 1)
	if err := <-ended; !errors.Is(err, ErrTimeout) {
		t.Errorf("it ended with %v", err)
	}
	if got := a.await(t, 1); got != "1.0 -no answer in time" {
		t.Errorf("got %q", got)
	}
}

func TestALinkThatCannotConnectFailsWhatWasSent(t *testing.T) {
	ended := make(ends, 1)
	connect := make(chan struct{})
	var group sync.WaitGroup
	l := New(t.Context(), Options{
		Dial: func(context.Context) (net.Conn, func([]byte) []byte, error) {
			<-connect
			return nil, nil, errors.New("no route")
		},
		Failure: func(err error) []byte { return []byte("-" + err.Error()) },
		Ended:   func(_ *Link, err error, _ int) { ended <- err }, MaxFlight: 10, MaxBacklog: 100, Group: &group,
	})
	a := newClient()
	send(t, l, a, 1, "GET", "x")
	close(connect)
	if got := a.await(t, 1); got != "1.0 -no route" {
		t.Errorf("got %q", got)
	}
	<-ended
	group.Wait()
}

func TestAFullLinkLetsSendersWait(t *testing.T) {
	l, s, _ := open(t, func(o *Options) { o.MaxFlight = 2 })
	a := newClient()
	send(t, l, a, 1, "GET", "x")
	send(t, l, a, 2, "GET", "y")
	sent := make(chan error, 1)
	go func() {
		sent <- l.Send(Now(), resp.AppendCommand(nil, "GET", "z"), Request{To: a, Token: Token{Seq: 3}})
	}()
	s.read(t)
	s.read(t)
	for l.waiters() == 0 {
		time.Sleep(time.Millisecond) // looks again
	}
	select {
	case err := <-sent:
		t.Fatalf("the third of two was sent: %v", err)
	default:
	}
	s.say(t, ":1\r\n")
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	if got := s.read(t); got != "GET z" {
		t.Errorf("the server read %q", got)
	}
}

// waiters is how many senders wait for room.
func (l *Link) waiters() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.waiting
}

func TestSendersThatWaitAreToldThatTheLinkEnded(t *testing.T) {
	l, _, ended := open(t, func(o *Options) { o.MaxFlight = 1 })
	a := newClient()
	send(t, l, a, 1, "GET", "x")
	sent := make(chan error, 1)
	go func() { sent <- l.Send(Now(), nil, Request{To: a}) }()
	for l.waiters() == 0 {
		time.Sleep(time.Millisecond) // looks again
	}
	l.End(ErrTimeout)
	if err := <-sent; !errors.Is(err, ErrTimeout) {
		t.Errorf("the sender was told %v", err)
	}
	<-ended
}

func TestAReplyThatIsTooLargeIsReplacedAndTheNextIsRight(t *testing.T) {
	l, s, _ := open(t, nil)
	a := newClient()
	send(t, l, a, 1, "GET", "x")
	send(t, l, a, 2, "GET", "y")
	s.read(t)
	s.say(t, "$5000\r\n"+strings.Repeat("x", 5000)+"\r\n:2\r\n")
	if got := a.await(t, 2); got != "1.0 -message too large, 2.0 :2" {
		t.Errorf("got %q", got)
	}
}

func TestWhatIsPushedIsNobodysReply(t *testing.T) {
	l, s, _ := open(t, nil)
	a := newClient()
	send(t, l, a, 1, "GET", "x")
	s.read(t)
	s.say(t, ">2\r\n+invalidate\r\n*0\r\n:1\r\n")
	if got := a.await(t, 1); got != "1.0 :1" {
		t.Errorf("got %q", got)
	}
}

func TestWhatNobodyAskedForEndsTheLink(t *testing.T) {
	for input, want := range map[string]error{":1\r\n": ErrUnexpected, "hello\r\n": resp.ErrProtocol} {
		_, s, ended := open(t, nil)
		s.say(t, input)
		if err := <-ended; !errors.Is(err, want) {
			t.Errorf("%q: it ended with %v, want %v", input, err, want)
		}
	}
}

func TestTheQueueKeepsItsOrderWhileItGrows(t *testing.T) {
	var q queue
	in, out := 0, 0
	for round := range 200 {
		for range round % 7 * 5 {
			q.push(Request{Token: Token{Part: in}})
			in++
		}
		for _, r := range q.pop(nil, q.n/2) {
			if r.Token.Part != out {
				t.Fatalf("%d came out, want %d", r.Token.Part, out)
			}
			out++
		}
	}
}

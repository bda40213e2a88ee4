package chaos_test

import (
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/chaos"
)

// network makes one of three nodes.
func network(t *testing.T) *chaos.Network {
	t.Helper()
	n, err := chaos.NewNetwork(t.Context(), "a", "b", "c")
	if errors.Is(err, chaos.ErrNoNetwork) {
		t.Skipf("SKIPPED: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// join connects a node with another one. The program on each is this one, which joins
// its input and output with a connection.
func join(t *testing.T, n *chaos.Network, client, server string) (one, other *end) {
	t.Helper()
	addr := net.JoinHostPort(n.IP(server), "7000")
	other = start(t, n, server, "listen", addr)
	other.expect("ready\n")
	one = start(t, n, client, "dial", addr)
	one.expect("ready\n")
	return one, other
}

// end is a program on a node.
type end struct {
	t   *testing.T
	in  io.WriteCloser
	out *os.File
}

func start(t *testing.T, n *chaos.Network, node, do, addr string) *end {
	t.Helper()
	path, args := n.In(node)(os.Args[0], "-test.run=^TestTheProgramOfANode$")
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), "NODE_DO="+do, "NODE_ADDR="+addr)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, its, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = its
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = its.Close()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed
		_ = out.Close()
	})
	return &end{t, in, out}
}

func (e *end) say(text string) {
	e.t.Helper()
	if _, err := io.WriteString(e.in, text); err != nil {
		e.t.Fatal(err)
	}
}

func (e *end) expect(want string) {
	e.t.Helper()
	_ = e.out.SetReadDeadline(time.Now().Add(limit))
	got := make([]byte, len(want))
	if _, err := io.ReadFull(e.out, got); err != nil || string(got) != want {
		e.t.Fatalf("%q, %v, want %q", got, err, want)
	}
}

// silent looks for a while in which anything would have arrived.
func (e *end) silent() {
	e.t.Helper()
	_ = e.out.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	if n, err := e.out.Read(make([]byte, 1)); n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		e.t.Fatalf("%d bytes, %v", n, err)
	}
}

func TestTheProgramOfANode(t *testing.T) {
	addr := os.Getenv("NODE_ADDR")
	var conn net.Conn
	var err error
	switch os.Getenv("NODE_DO") {
	case "":
		t.Skip("SKIPPED: no test: the program that other tests start on a node")
	case "listen":
		var l net.Listener
		if l, err = net.Listen("tcp", addr); err == nil {
			os.Stdout.WriteString("ready\n")
			conn, err = l.Accept()
		}
	case "dial":
		if conn, err = net.DialTimeout("tcp", addr, limit); err == nil {
			os.Stdout.WriteString("ready\n")
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(conn, os.Stdin) }()
	_, _ = io.Copy(os.Stdout, conn) // until it is killed
}

func TestNodesReachEachOtherUntilTheyAreCut(t *testing.T) {
	n := network(t)
	a, b := join(t, n, "a", "b")
	c, here := join(t, n, "c", chaos.Here)
	a.say("one")
	b.expect("one")
	if err := n.Cut(t.Context(), "a", "b"); err != nil {
		t.Fatal(err)
	}
	a.say("two")
	b.say("three")
	b.silent()
	a.silent()
	c.say("others go on")
	here.expect("others go on")
	if err := n.Mend(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.expect("two") // TCP has sent it again
	a.expect("three")
}

func TestACutMayBeOfOneDirection(t *testing.T) {
	n := network(t)
	a, b := join(t, n, "a", "b")
	if err := n.CutOneWay(t.Context(), "a", "b"); err != nil {
		t.Fatal(err)
	}
	b.say("this way it arrives")
	a.expect("this way it arrives")
	a.say("lost")
	b.silent()
	if err := n.Mend(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.expect("lost")
}

func TestAnIsolatedNodeIsSeenFromHereOnly(t *testing.T) {
	n := network(t)
	a, b := join(t, n, "a", "b")
	b2, here := join(t, n, "b", chaos.Here)
	for range 2 { // again is no mistake
		if err := n.Isolate(t.Context(), "b"); err != nil {
			t.Fatal(err)
		}
	}
	a.say("x")
	b.silent()
	b2.say("I am here")
	here.expect("I am here")
	if err := n.Mend(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.expect("x")
}

func TestNothingIsLeftOfANetwork(t *testing.T) {
	n := network(t)
	path, args := n.In("a")("true")
	space := args[2]
	if path != "ip" || !strings.HasPrefix(space, "fl") {
		t.Fatalf("%s %v", path, args)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat("/var/run/netns/" + space); err == nil {
		t.Errorf("%s is still there", space)
	}
	if links, err := net.Interfaces(); err != nil {
		t.Error(err)
	} else {
		for _, l := range links {
			if strings.HasPrefix(space, l.Name+"-") {
				t.Errorf("%s is still there", l.Name)
			}
		}
	}
}

func TestWhatIsNoNodeIsAnError(t *testing.T) {
	n := network(t)
	if err := n.Cut(t.Context(), "a", "nobody"); err == nil || !strings.Contains(err.Error(), `"nobody"`) {
		t.Errorf("%v", err)
	}
	if _, err := chaos.NewNetwork(t.Context()); err == nil || errors.Is(err, chaos.ErrNoNetwork) {
		t.Errorf("%v", err)
	}
}

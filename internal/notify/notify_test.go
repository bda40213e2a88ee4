package notify

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/internal/await"
)

// asApplication makes the test binary be an application that can be signalled,
// asMaster one that has a worker of the same name.
const (
	asApplication = "RUN_AN_APPLICATION"
	asMaster      = "RUN_A_MASTER"
)

func TestMain(m *testing.M) {
	if os.Getenv(asApplication) != "" {
		application()
		return
	}
	goleak.VerifyTestMain(m)
}

// application says "ready" and then each signal that it gets, until its input ends.
func application() {
	got := make(chan os.Signal, 8)
	signal.Notify(got, syscall.SIGHUP, syscall.SIGUSR1)
	ended := make(chan struct{})
	if os.Getenv(asMaster) != "" {
		worker := exec.Command(os.Args[0])
		worker.Env = []string{asApplication + "=1"}
		in, err := worker.StdinPipe()
		if err != nil || worker.Start() != nil {
			panic("no worker")
		}
		defer worker.Wait()
		defer in.Close()
	}
	fmt.Println("ready", os.Getpid())
	go func() { defer close(ended); _, _ = io.Copy(io.Discard, os.Stdin) }()
	for {
		select {
		case s := <-got:
			fmt.Println(s)
		case <-ended:
			return
		}
	}
}

// app is a running application.
type app struct {
	*testing.T
	pid   int
	lines chan string
	end   func()
}

// run starts an application under a name.
func run(t *testing.T, name string, env ...string) *app {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.Symlink(os.Args[0], path); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path)
	cmd.Env = append(os.Environ(), append(env, asApplication+"=1")...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	a := &app{T: t, pid: cmd.Process.Pid, lines: make(chan string, 100)}
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer close(a.lines)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			a.lines <- lines.Text()
		}
	}()
	var once sync.Once
	a.end = func() {
		once.Do(func() {
			in.Close()
			<-read
			_ = cmd.Wait() // by a signal, in some tests
		})
	}
	t.Cleanup(a.end)
	if line := a.next(); !strings.HasPrefix(line, "ready ") {
		t.Fatalf("it says %q", line)
	}
	return a
}

func (a *app) next() string {
	a.Helper()
	select {
	case line := <-a.lines:
		return line
	case <-time.After(30 * time.Second):
		a.Fatal("the application says nothing")
		return ""
	}
}

func (a *app) pidFile() string {
	a.Helper()
	return write(a.T, strconv.Itoa(a.pid)+"\n")
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pid")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// idle makes a notifier that does nothing by itself.
func idle(o Options) *Notifier {
	o.Log, o.Count = slog.New(slog.DiscardHandler), func(string) {}
	return New(o)
}

// notifying runs a notifier until the test ends.
func notifying(t *testing.T, o Options) *Notifier {
	t.Helper()
	return work(t, idle(o))
}

func work(t *testing.T, n *Notifier) *Notifier {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); n.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return n
}

// delivered waits until nothing is pending.
func delivered(t *testing.T, n *Notifier) Status {
	t.Helper()
	await.Seen(t, "nothing is pending", func() (any, bool) {
		s := n.Status()
		return s, !s.Pending
	})
	return n.Status()
}

// stays holds that an idle notifier cannot deliver a change, because of want.
func stays(t *testing.T, n *Notifier, want string) {
	t.Helper()
	n.Changed()
	for range 3 {
		n.deliver()
		if s := n.Status(); !s.Pending || !strings.Contains(s.Error, want) {
			t.Fatalf("%+v, want %q", s, want)
		}
	}
}

func TestTheProcessOfThePIDFileIsSignalled(t *testing.T) {
	t.Parallel()
	a := run(t, "app")
	n := notifying(t, Options{Signal: "SIGHUP", PIDFile: a.pidFile(), Process: "app"})
	for range 3 {
		n.Changed()
		if line := a.next(); line != "hangup" {
			t.Errorf("it was sent %s", line)
		}
		if s := delivered(t, n); s.PID != a.pid || s.Error != "" || s.At.IsZero() {
			t.Errorf("%+v", s)
		}
	}
}

func TestTheProcessOfTheNameIsSignalled(t *testing.T) {
	t.Parallel()
	name := "n" + strconv.Itoa(os.Getpid())
	a := run(t, name)
	n := notifying(t, Options{Signal: "SIGUSR1", Process: name})
	n.Changed() // it has only just started: it is given a moment
	if line := a.next(); line != "user defined signal 1" {
		t.Errorf("it was sent %s", line)
	}
}

// It may not have got to its signal handler yet.
func TestAProcessThatHasOnlyJustStartedIsNotSignalledByName(t *testing.T) {
	t.Parallel()
	name := "y" + strconv.Itoa(os.Getpid())
	a := run(t, name)
	n := idle(Options{Signal: "SIGHUP", Process: name})
	n.Changed()
	n.deliver()
	p, err := look(a.pid)
	if err != nil {
		t.Fatal(err)
	}
	if s := n.Status(); sinceBoot()-p.started < settle && (!s.Pending || !strings.Contains(s.Error, "has only just started")) {
		t.Errorf("%+v", s)
	}
}

// Its signal may have been sent before the files were written again, however soon
// after the first time that was.
func TestAChangeDuringADeliveryIsDeliveredToo(t *testing.T) {
	t.Parallel()
	a := run(t, "app")
	pipe := filepath.Join(t.TempDir(), "pid")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	n := idle(Options{Signal: "SIGHUP", PIDFile: pipe})
	n.Changed()
	for _, again := range []bool{true, false} {
		ended := make(chan struct{})
		go func() { defer close(ended); n.deliver() }()
		in, err := os.OpenFile(pipe, os.O_WRONLY, 0) // waits for the notifier to read
		if err != nil {
			t.Fatal(err)
		}
		if again {
			n.mu.Lock()
			due := n.due
			n.mu.Unlock()
			n.Changed()
			n.mu.Lock()
			n.due = due // the clock has not moved
			n.mu.Unlock()
		}
		_, err = fmt.Fprintln(in, a.pid)
		if err := errors.Join(err, in.Close()); err != nil {
			t.Fatal(err)
		}
		<-ended
		if line, s := a.next(), n.Status(); line != "hangup" || s.Pending != again {
			t.Fatalf("changed again %v: it was sent %s, %+v", again, line, s)
		}
	}
}

func TestAChangeAtATimeThatIsNotKnownIsDelivered(t *testing.T) {
	t.Parallel()
	a := run(t, "app")
	n := idle(Options{Signal: "SIGHUP", PIDFile: a.pidFile()})
	n.Changed()
	n.due = 0
	n.deliver()
	if s := n.Status(); s.Pending {
		t.Fatalf("%+v", s)
	}
	if err := syscall.Kill(a.pid, syscall.SIGUSR1); err != nil { // says something in any case
		t.Fatal(err)
	}
	if line := a.next(); line != "hangup" {
		t.Errorf("it was sent %s", line)
	}
}

func TestALongNameIsToldFromOneThatBeginsLikeIt(t *testing.T) {
	t.Parallel()
	name := "a-long-name-" + strconv.Itoa(os.Getpid()) + "-application"
	run(t, name[:len(name)-1]+"X")
	a := run(t, name)
	n := notifying(t, Options{Signal: "SIGHUP", Process: name})
	n.Changed()
	if line := a.next(); line != "hangup" {
		t.Errorf("it was sent %s", line)
	}
}

func TestTheMasterIsMeantNotItsWorker(t *testing.T) {
	t.Parallel()
	name := "m" + strconv.Itoa(os.Getpid())
	a := run(t, name, asMaster+"=1")
	n := notifying(t, Options{Signal: "SIGHUP", Process: name})
	n.Changed()
	if line := a.next(); line != "hangup" {
		t.Errorf("it was sent %s", line)
	}
	if s := delivered(t, n); s.PID != a.pid {
		t.Errorf("%d was signalled, the master is %d", s.PID, a.pid)
	}
}

func TestTwoOfANameAreNotChosenFrom(t *testing.T) {
	t.Parallel()
	name := "t" + strconv.Itoa(os.Getpid())
	a := run(t, name)
	b := run(t, name)
	n := idle(Options{Signal: "SIGHUP", Process: name})
	stays(t, n, "are both called "+name)
	b.end()
	work(t, n)
	if line := a.next(); line != "hangup" {
		t.Errorf("the one that is left was sent %s", line)
	}
}

func TestAProcessThatMustNotBeSignalledIsNot(t *testing.T) {
	t.Parallel()
	a := run(t, "app")
	old := a.pidFile()
	past := time.Now().Add(-time.Hour)
	if err := os.Chtimes(old, past, past); err != nil {
		t.Fatal(err)
	}
	for want, o := range map[string]Options{
		"process 1 is never signalled": {PIDFile: write(t, "1\n")},
		"the process is this one":      {PIDFile: write(t, strconv.Itoa(os.Getpid()))},
		"is younger than the pid file": {PIDFile: old},
		"is called app, not nginx":     {PIDFile: a.pidFile(), Process: "nginx"},
		"there is no pid file":         {PIDFile: "/nonexistent"},
		"no number of a process":       {PIDFile: write(t, "-1\n")},
		"has ended":                    {PIDFile: write(t, "99999999")},
		"no process is called":         {Process: "none-" + strconv.Itoa(os.Getpid())},
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			o.Signal = "SIGKILL"
			stays(t, idle(o), want)
		})
	}
}

func TestAProcessThatStartedAfterTheChangeNeedsNoSignal(t *testing.T) {
	t.Parallel()
	name := "u" + strconv.Itoa(os.Getpid())
	n := idle(Options{Signal: "SIGKILL", Process: name})
	stays(t, n, "no process is called "+name)
	n.due -= time.Second // that was long before, for a clock of 10 ms
	a := run(t, name)
	work(t, n)
	if s := delivered(t, n); s.PID != a.pid {
		t.Errorf("%+v", s)
	}
	if err := syscall.Kill(a.pid, syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if line := a.next(); line != "hangup" {
		t.Fatalf("it says %q: is it alive?", line)
	}
	n.Changed() // one that has started before does need it
	if line, alive := <-a.lines; alive {
		t.Errorf("it says %q instead of ending", line)
	}
}

func TestNoneIsNoSignal(t *testing.T) {
	t.Parallel()
	n := notifying(t, Options{Signal: "none"})
	n.Changed()
	if s := n.Status(); s.Pending || s.Signal != "none" {
		t.Errorf("%+v", s)
	}
}

func TestOnlySignalsThatMakeSenseAreAccepted(t *testing.T) {
	t.Parallel()
	var s Signal
	if err := s.UnmarshalText([]byte("SIGSTOP")); err == nil {
		t.Error("SIGSTOP is accepted")
	}
	if err := s.UnmarshalText([]byte("SIGHUP")); err != nil || s != "SIGHUP" {
		t.Errorf("%s, %v", s, err)
	}
}

func FuzzPID(f *testing.F) {
	for _, text := range []string{"1\n", " 42 \n", "", "-1", "4294967297", "12 34\n", "0x10"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if pid, err := parsePID(text); err == nil && pid < 1 {
			t.Errorf("%q is %d", text, pid)
		}
	})
}

// Package realserver gives tests the real programs that ours are compared with, where
// they are installed. Where one is not, a test is skipped, and says what was not tried;
// with REAL_SERVERS=required it fails instead, so that nothing is skipped by mistake.
package realserver

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/internal/nettest"
)

// Find returns the path of a program, which may have other names too. untried is what is
// not known without it, for the message of a test that is skipped.
func Find(t testing.TB, program, untried string, alternatives ...string) string {
	t.Helper()
	// Debian keeps servers where an ordinary user's PATH does not reach.
	for _, name := range append([]string{program, filepath.Join("/usr/sbin", program)}, alternatives...) {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	Missing(t, program, untried)
	return ""
}

// Missing skips or fails a test for what is not installed.
func Missing(t testing.TB, what, untried string) {
	t.Helper()
	if os.Getenv("REAL_SERVERS") == "required" {
		t.Fatalf("%s is not installed, and REAL_SERVERS=required", what)
	}
	t.Skipf("SKIPPED: %s is not installed: %s", what, untried)
}

// Start runs a server until the end of the test, and waits until it accepts connections.
func Start(t testing.TB, cmd *exec.Cmd, addr string) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // how it ended is of no interest
		close(ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		<-ended
	})
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for limit := time.After(30 * time.Second); ; {
		if conn, err := net.Dial("tcp", addr); err == nil {
			_ = conn.Close() // that it was accepted is all
			return
		}
		select {
		case <-tick.C:
		case <-ended:
			t.Fatalf("%s ended before it accepted connections: %v", cmd.Path, cmd.ProcessState)
		case <-limit:
			t.Fatalf("%s accepts no connections", cmd.Path)
		}
	}
}

// Pause stops a server that the test started, with SIGSTOP, and returns when it has
// stopped: a signal that was sent has not arrived yet, and until then it may answer.
func Pause(t testing.TB, p *os.Process) {
	t.Helper()
	var state syscall.WaitStatus
	err := p.Signal(syscall.SIGSTOP)
	for err == nil && !state.Stopped() {
		_, err = syscall.Wait4(p.Pid, &state, syscall.WUNTRACED, nil)
	}
	if err != nil {
		t.Fatalf("pause process %d: %v", p.Pid, err)
	}
}

// Addr is nettest.Refuse, and its port.
func Addr(t testing.TB) (addr, port string) {
	t.Helper()
	addr = nettest.Refuse(t)
	_, port, _ = net.SplitHostPort(addr)
	return addr, port
}

// Redis starts redis-server, which keeps nothing, with more arguments.
func Redis(t testing.TB, untried string, more ...string) (addr string) {
	t.Helper()
	program := Find(t, "redis-server", untried)
	addr, port := Addr(t)
	args := append([]string{"--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", t.TempDir()}, more...)
	Start(t, exec.Command(program, args...), addr)
	return addr
}

// Memcached starts memcached, with more arguments.
func Memcached(t testing.TB, untried string, more ...string) (addr string) {
	t.Helper()
	program := Find(t, "memcached", untried)
	addr, port := Addr(t)
	args := append([]string{"-p", port, "-l", "127.0.0.1", "-U", "0", "-m", "64"}, more...)
	if os.Getuid() == 0 {
		args = append(args, "-u", "root") // or it refuses to run
	}
	Start(t, exec.Command(program, args...), addr)
	return addr
}

package docstest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const root = "../.."

// commandLimit bounds one command of a page, which may have to compile all there is.
const commandLimit = 5 * time.Minute

// scratch is where the commands of a page are executed: from the root of the tree, with
// a directory of the test for .flotilla, and free ports for those that the page names.
type scratch struct {
	dir     string
	ports   map[string]string // as named → as used here
	started []background
}

// background is a process group that a command has left running.
type background struct {
	leader  int
	command string
	out     string // file of all that it wrote
}

// newScratch makes a scratch, whose processes end with the test.
func newScratch(t *testing.T, ports map[string]string) *scratch {
	t.Helper()
	for _, program := range []string{"curl", "sh"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("SKIPPED: %s is not installed: commands were not executed", program)
		}
	}
	dir, err := os.MkdirTemp("", "docs-") // short: a socket's path has a limit
	if err == nil {
		err = os.Mkdir(filepath.Join(dir, "tmp"), 0o700)
	}
	if err != nil {
		t.Fatal(err)
	}
	s := &scratch{dir: dir, ports: ports}
	t.Cleanup(func() { s.close(t) })
	return s
}

func (s *scratch) close(t *testing.T) {
	if t.Failed() {
		s.tell(t)
	}
	if _, err := os.Stat(filepath.Join(s.dir, "control.sock")); err == nil { // a fleet, in a session of its own
		t.Log(s.run(t, "go run ./infra/local down --now").printed)
	}
	more, _ := filepath.Glob(filepath.Join(s.dir, "*", "control.sock")) // that of a page which failed before it took it down
	for _, socket := range more {
		t.Log(s.run(t, "go run ./infra/local --dir "+filepath.Dir(socket)+" down --now").printed)
	}
	for _, b := range s.started {
		_ = syscall.Kill(-b.leader, syscall.SIGKILL) // has ended by itself: what was wanted
	}
	// Who was killed may be writing still.
	deadline := time.Now().Add(10 * time.Second)
	for err := os.RemoveAll(s.dir); err != nil; err = os.RemoveAll(s.dir) {
		if time.Now().After(deadline) {
			t.Error(err)
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// tell shows what the processes in the background wrote last.
func (s *scratch) tell(t *testing.T) {
	for _, b := range s.started {
		text, err := os.ReadFile(b.out)
		t.Logf("in the background: $ %s\n%s %v", b.command, text[max(0, len(text)-2000):], err)
	}
}

// here is a command with the places and ports of this machine.
func (s *scratch) here(command string) string {
	pairs := []string{".flotilla", s.dir}
	for named, used := range s.ports {
		for _, before := range []string{":", "/", "-p ", "-P ", "127.0.0.1 "} { // URLs, addresses, and options of clients
			pairs = append(pairs, before+named, before+used)
		}
	}
	return strings.NewReplacer(pairs...).Replace(command)
}

// there is output with those of the page. The value of a key in JSON is no port.
func (s *scratch) there(output string) string {
	output = strings.ReplaceAll(output, s.dir, ".flotilla")
	return port.ReplaceAllStringFunc(output, func(found string) string {
		at := strings.LastIndexByte(found, ':') + 1
		for named, used := range s.ports {
			if used == found[at:] {
				return found[:at] + named
			}
		}
		return found
	})
}

// port finds what may be one.
var port = regexp.MustCompile(`(?:^|[^"]|\W"):\d{4,5}\b`)

// result is what a command printed, and how it ended.
type result struct {
	printed string
	err     error
}

// run executes a command. It does not wait for what the command leaves in the background.
func (s *scratch) run(t *testing.T, command string) result {
	t.Helper()
	out, err := os.CreateTemp(s.dir, "output-")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	ctx, cancel := context.WithTimeout(context.Background(), commandLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", s.here(command))
	cmd.Dir, cmd.Stdout, cmd.Stderr = root, out, out
	cmd.Env = append(os.Environ(), "FLOTILLA_DIR="+s.dir, "TMPDIR="+filepath.Join(s.dir, "tmp"),
		"FLOTILLA_HTTPS_PORT="+s.ports["8443"], "FLOTILLA_HTTP_PORT="+s.ports["8080"])
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	ended := cmd.Run()
	if ctx.Err() != nil {
		ended = fmt.Errorf("it did not end in %s: %w", commandLimit, ended)
	}
	if cmd.Process != nil && syscall.Kill(-cmd.Process.Pid, 0) == nil { // somebody is left
		s.started = append(s.started, background{cmd.Process.Pid, command, out.Name()})
	}
	text, err := os.ReadFile(out.Name())
	return result{s.there(string(text)), errors.Join(ended, err)}
}

// execute runs the steps of a page. A command that shows nothing has to succeed; the exit
// status of others is part of what they show.
func (s *scratch) execute(t *testing.T, name string, steps []Step) {
	t.Helper()
	for _, step := range steps {
		r := s.run(t, step.Command)
		if r.err != nil && len(step.Want) == 0 {
			t.Fatalf("%s:%d:\n$ %s\nfails: %v\n%s", name, step.Line, step.Command, r.err, r.printed)
		}
		if wrong := Check(step.Want, r.printed); wrong != "" {
			t.Fatalf("%s:%d:\n$ %s\n%s; printed was (%v):\n%s", name, step.Line, step.Command, wrong, r.err, r.printed)
		}
	}
}

// named finds a port of this machine, and the port of administration beside it.
var named = regexp.MustCompile(`(?:localhost|127\.0\.0\.1):(\d{4,5})\b(?:/(\d{4,5})\b)?`)

// freePorts gives each port that the commands name, and those of the fleet, a free one.
func freePorts(t *testing.T, steps []Step) map[string]string {
	t.Helper()
	ports := map[string]string{"8443": freePort(t), "8080": freePort(t)}
	for _, step := range steps {
		for _, m := range named.FindAllStringSubmatch(step.Command, -1) {
			for _, port := range m[1:] {
				if port != "" && ports[port] == "" {
					ports[port] = freePort(t)
				}
			}
		}
	}
	return ports
}

// given are the ports that freePort has given away: who asked for one may use it later.
var given sync.Map

// freePort finds a port that is free for TCP and UDP, and gives it to nobody else. It lies
// below those of the rig, of the local runner's processes, and of outgoing connections:
// none of them takes it before it is used.
func freePort(t *testing.T) string {
	t.Helper()
	const lowest, rigs = 10_240, 15_000
	for range 1000 {
		port := fmt.Sprint(lowest + rand.IntN(rigs-lowest))
		tcp, err := net.Listen("tcp", "127.0.0.1:"+port)
		if err != nil {
			continue
		}
		udp, err := net.ListenPacket("udp", "127.0.0.1:"+port)
		_ = tcp.Close() // only its number is wanted
		if err != nil {
			continue
		}
		_ = udp.Close()
		if _, taken := given.LoadOrStore(port, true); !taken {
			return port
		}
	}
	t.Fatal("no free port in a thousand tries")
	return ""
}

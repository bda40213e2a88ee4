// Package etcdtest gives tests an etcd that can be killed: the embedded one of
// the tree, built and run as a process.
package etcdtest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/flotilla-dev/flotilla/internal/await"
	"github.com/flotilla-dev/flotilla/internal/nettest"
)

// Main runs the tests of a package with the program built, and looks for leaks.
// It is what a TestMain calls.
func Main(m *testing.M, use func(program string)) {
	dir, err := os.MkdirTemp("", "etcdtest-")
	if err == nil {
		err = build(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "etcdtest:", err)
		os.Exit(1)
	}
	use(filepath.Join(dir, "etcd"))
	code := m.Run()
	if err := errors.Join(goleak.Find(), os.RemoveAll(dir)); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, "etcdtest:", err)
		code = 1
	}
	os.Exit(code)
}

// build compiles the program in its own module, which is found from here upwards.
func build(dir string) error {
	here, err := os.Getwd()
	if err != nil {
		return err
	}
	for ; ; here = filepath.Dir(here) {
		module := filepath.Join(here, "infra", "backends", "etcd")
		if _, err := os.Stat(module); err == nil {
			cmd := exec.Command("go", "build", "-o", dir, "./cmd/etcd")
			cmd.Dir = module
			if out, err := cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("build etcd: %w\n%s", err, out)
			}
			return nil
		}
		if here == filepath.Dir(here) {
			return errors.New("there is no infra/backends/etcd above this directory")
		}
	}
}

// Server is a running etcd.
type Server struct {
	Addr string

	t       *testing.T
	program string
	admin   string
	dir     string
	name    string // in a cluster
	peers   string // all of it, as ETCD_PEERS
	cmd     *exec.Cmd
}

// Start starts an etcd for a test, and ends it with the test.
func Start(t *testing.T, program string) *Server {
	t.Helper()
	s := &Server{t: t, program: program, Addr: nettest.Refuse(t), admin: nettest.Refuse(t), dir: t.TempDir()}
	s.Start()
	t.Cleanup(s.Kill)
	return s
}

// StartThree starts a cluster of three members, each a process that can be killed, paused
// and cut off from the others.
func StartThree(t *testing.T, program string) []*Server {
	t.Helper()
	var all []*Server
	var peers []string
	for _, name := range []string{"etcd-1", "etcd-2", "etcd-3"} {
		all = append(all, &Server{t: t, program: program, Addr: nettest.Refuse(t), admin: nettest.Refuse(t), dir: t.TempDir(), name: name})
		peers = append(peers, name+"="+nettest.Refuse(t))
	}
	for _, s := range all { // one alone does not become ready
		s.peers = strings.Join(peers, ",")
		s.Launch()
		t.Cleanup(s.Kill)
	}
	for _, s := range all {
		s.AwaitReady()
	}
	return all
}

// Addrs are the addresses of all members.
func Addrs(members []*Server) []string {
	var all []string
	for _, s := range members {
		all = append(all, s.Addr)
	}
	return all
}

// Start starts a killed etcd again, with its address and its data, and waits until it is
// ready.
func (s *Server) Start() {
	s.t.Helper()
	s.Launch()
	s.AwaitReady()
}

// Launch starts a killed etcd again and waits for nothing: without a majority a member does
// not become ready.
func (s *Server) Launch() {
	s.t.Helper()
	s.cmd = exec.Command(s.program)
	s.cmd.Env = append(os.Environ(), "LISTEN_ADDR="+s.Addr, "ADMIN_ADDR="+s.admin, "LOG_LEVEL=ERROR", "ETCD_DATA_DIR="+s.dir, "INSTANCE="+s.name, "ETCD_PEERS="+s.peers)
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
}

// AwaitReady waits until the etcd is ready: it follows a leader, or is one.
func (s *Server) AwaitReady() {
	s.t.Helper()
	await.That(s.t, "etcd is ready", func() bool { return s.ask(http.MethodGet, "/readyz") == nil })
}

// CutOff keeps a member from the others, and returns when it knows no leader any more.
// Clients reach it all the time.
func (s *Server) CutOff() {
	s.t.Helper()
	if err := s.ask(http.MethodPost, "/members/"+strings.TrimPrefix(s.name, "etcd-")+"/cut"); err != nil {
		s.t.Fatal(err)
	}
	await.That(s.t, s.name+" has no leader", func() bool { return s.ask(http.MethodGet, "/readyz") != nil })
}

// client opens a connection for each question: one that was kept would say nothing of a
// new process.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}

// ask asks the administration listener. Anything but 200 is an error.
func (s *Server) ask(method, path string) error {
	req, err := http.NewRequest(method, "http://"+s.admin+path, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s", method, path, resp.Status)
	}
	return nil
}

// Kill ends the etcd at once, as kill -9 does.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill() // it has ended already when this fails
	_ = s.cmd.Wait()         // by a signal, which counts as an error
}

// Pause stops the etcd: it answers nobody, and its connections stay. It returns
// when the process has stopped.
func (s *Server) Pause() {
	s.t.Helper()
	var state syscall.WaitStatus
	err := s.cmd.Process.Signal(syscall.SIGSTOP)
	for err == nil && !state.Stopped() {
		_, err = syscall.Wait4(s.cmd.Process.Pid, &state, syscall.WUNTRACED, nil)
	}
	if err != nil {
		s.t.Fatalf("pause etcd: %v", err)
	}
}

// Resume lets a paused etcd go on.
func (s *Server) Resume() { _ = s.cmd.Process.Signal(syscall.SIGCONT) }

// Forget kills the etcd and takes its data away.
func (s *Server) Forget() {
	s.Kill()
	s.dir = s.t.TempDir()
}

// Client returns a client for the test's own use.
func (s *Server) Client() *clientv3.Client {
	s.t.Helper()
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{s.Addr}, Logger: zap.NewNop(), DialTimeout: 5 * time.Second})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = c.Close() }) // the test is over
	return c
}

// Context is bounded by the patience of a test.
func Context(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

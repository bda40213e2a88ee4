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
	"syscall"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"
	"go.uber.org/zap"

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

// Start starts a killed etcd again, with its address and its data.
func (s *Server) Start() {
	s.t.Helper()
	s.cmd = exec.Command(s.program)
	s.cmd.Env = append(os.Environ(), "LISTEN_ADDR="+s.Addr, "ADMIN_ADDR="+s.admin, "LOG_LEVEL=ERROR", "ETCD_DATA_DIR="+s.dir)
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Second}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		resp, err := client.Get("http://" + s.admin + "/readyz")
		if err == nil {
			_ = resp.Body.Close() // only the status matters
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("etcd is not ready: %v", err)
		}
	}
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

package kafkatest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/internal/nettest"
)

// program is the embedded broker, built by the first test that needs it.
var program struct {
	mu   sync.Mutex
	dir  string // of what is built, when Main has made one
	path string
}

// ticks is of the library by which sarama counts: one goroutine for all clients, which never ends.
var ticks = goleak.IgnoreTopFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick")

// Main runs the tests of a package, looks for leaks, and takes away what was built for them. It
// is what a TestMain calls; without it every test builds the embedded broker for itself.
func Main(m *testing.M) {
	dir, err := os.MkdirTemp("", "kafkatest-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "kafkatest:", err)
		os.Exit(1)
	}
	program.dir = dir
	code := m.Run()
	if err := errors.Join(goleak.Find(ticks), os.RemoveAll(dir)); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, "kafkatest:", err)
		code = 1
	}
	os.Exit(code)
}

// Embedded starts the embedded broker for a test. more are further parameters of it, as NAME=value.
func Embedded(t testing.TB, more ...string) *Broker {
	t.Helper()
	path, err := built(t)
	if err != nil {
		t.Fatal(err)
	}
	b := &Broker{Addr: nettest.Refuse(t)}
	admin, dir := nettest.Refuse(t), t.TempDir()
	b.command = func() *exec.Cmd {
		cmd := exec.Command(path)
		cmd.Env = append([]string{"LISTEN_ADDR=" + b.Addr, "ADMIN_ADDR=" + admin, "LOG_LEVEL=WARN", "KAFKA_DATA_DIR=" + dir}, more...)
		return cmd
	}
	return run(t, b)
}

// built returns the path of the program.
func built(t testing.TB) (string, error) {
	program.mu.Lock()
	defer program.mu.Unlock()
	if program.path != "" {
		return program.path, nil
	}
	dir := program.dir
	if dir == "" {
		dir = t.TempDir()
	}
	module, err := folder("infra", "backends", "kafka")
	if err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-o", dir, "./cmd/kafka")
	cmd.Dir = module
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build kafka: %w\n%s", err, out)
	}
	path := filepath.Join(dir, "kafka")
	if program.dir != "" {
		program.path = path
	}
	return path, nil
}

// folder finds a folder of the tree, from here upwards.
func folder(elements ...string) (string, error) {
	here, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; here = filepath.Dir(here) {
		path := filepath.Join(append([]string{here}, elements...)...)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
		if here == filepath.Dir(here) {
			return "", fmt.Errorf("there is no %s above this directory", filepath.Join(elements...))
		}
	}
}

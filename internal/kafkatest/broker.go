package kafkatest

import (
	"bytes"
	"fmt"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/internal/await"
	"github.com/flotilla-dev/flotilla/internal/realserver"
)

// Broker is a running broker, a process of its own.
type Broker struct {
	Addr string // host:port
	Real bool   // Apache Kafka, not the embedded one

	t       testing.TB
	command func() *exec.Cmd // the process, not started
	cmd     *exec.Cmd
	said    *tail
	ended   chan struct{} // closed when cmd has ended
}

// Each runs a test over the embedded broker and over the real one. Without the real one
// that half is skipped, and says so.
func Each(t *testing.T, test func(t *testing.T, b *Broker)) {
	t.Helper()
	t.Run("embedded", func(t *testing.T) { test(t, Embedded(t)) })
	t.Run("real", func(t *testing.T) { test(t, Real(t)) })
}

// run starts a broker for a test, and ends it with the test.
func run(t testing.TB, b *Broker) *Broker {
	t.Helper()
	b.t = t
	b.Start()
	t.Cleanup(func() { b.Kill() })
	return b
}

// Start starts a killed or stopped broker again, with its address and its data, and returns
// when it is ready.
func (b *Broker) Start() {
	b.t.Helper()
	b.Launch()
	b.AwaitReady()
}

// Launch starts a killed or stopped broker again, and waits for nothing.
func (b *Broker) Launch() {
	b.t.Helper()
	b.said, b.ended = &tail{}, make(chan struct{})
	b.cmd = b.command()
	b.cmd.Stdout, b.cmd.Stderr = b.said, b.said
	if err := b.cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	go func(cmd *exec.Cmd, ended chan struct{}) {
		defer close(ended)
		_ = cmd.Wait() // by a signal, which counts as an error
	}(b.cmd, b.ended)
}

// AwaitReady waits until the broker serves.
func (b *Broker) AwaitReady() {
	b.t.Helper()
	await.That(b.t, "the broker is ready", func() bool {
		select {
		case <-b.ended:
			b.t.Fatalf("the broker ended before it was ready: %s\n%s", b.cmd.ProcessState, b.said)
		default:
		}
		return serves(b.Addr) == nil
	})
}

// Kill ends the broker at once, as kill -9 does.
func (b *Broker) Kill() {
	_ = b.cmd.Process.Kill() // it has ended already when this fails
	<-b.ended
}

// Stop asks the broker to end, as an orderly restart does, and returns when it has.
func (b *Broker) Stop() {
	b.t.Helper()
	if err := b.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		b.t.Fatalf("stop the broker: %v", err)
	}
	select {
	case <-b.ended:
	case <-time.After(await.Limit):
		b.t.Fatalf("the broker does not end:\n%s", b.said)
	}
}

// Pause stops the broker: it answers nobody, and its connections stay.
func (b *Broker) Pause() {
	b.t.Helper()
	realserver.Pause(b.t, b.cmd.Process)
}

// Resume lets a paused broker go on.
func (b *Broker) Resume() { _ = b.cmd.Process.Signal(syscall.SIGCONT) }

// tail keeps the last of what a process says.
type tail struct {
	mu   sync.Mutex
	kept bytes.Buffer
}

const tailSize = 16 << 10

func (l *tail) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kept.Write(p)
	if over := l.kept.Len() - tailSize; over > 0 {
		l.kept.Next(over)
	}
	return len(p), nil
}

// String is what was said last.
func (l *tail) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return fmt.Sprintf("… %s", l.kept.String())
}

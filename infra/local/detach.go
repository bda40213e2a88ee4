package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
)

// detachedVariable tells a runner that it was started by `up -d`: descriptor 3
// is a pipe to that command, which reads until the fleet is ready.
const detachedVariable = "FLOTILLA_DETACHED"

func isDetached() bool { return os.Getenv(detachedVariable) != "" }

// readyMark is the last line on the pipe: the fleet is ready.
const readyMark = "\x00ready"

// detach starts this program again in a session of its own, which no closed
// terminal ends, and shows its progress until the fleet is ready.
func (c *upCommand) detach(ctx context.Context, s session) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(s.dir, "logs"), 0o700); err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(s.dir, "logs", "runner.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	progress, pipe, err := os.Pipe()
	if err != nil {
		return err
	}
	defer progress.Close()
	cmd := exec.Command(self, c.again(s)...)
	cmd.Env = append(os.Environ(), detachedVariable+"=1")
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = log, log, []*os.File{pipe}
	cmd.Dir = s.root
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := errors.Join(cmd.Start(), pipe.Close()); err != nil {
		return fmt.Errorf("start the runner: %w", err)
	}
	// Whoever gives up waiting wants no fleet.
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt, syscall.SIGTERM)
	go func() {
		if _, wanted := <-interrupts; wanted {
			_ = cmd.Process.Signal(syscall.SIGTERM)
		}
	}()
	ready, err := relay(s.out, progress)
	signal.Stop(interrupts)
	close(interrupts)
	if ready || err != nil {
		return err
	}
	if err := cmd.Wait(); err != nil {
		var ended *exec.ExitError
		if errors.As(err, &ended) && ended.ExitCode() > 0 {
			return exit(ended.ExitCode()) // it has said why
		}
		return fmt.Errorf("the runner ended: %w", err)
	}
	return nil
}

// again is the command line of the runner in the background.
func (c *upCommand) again(s session) []string {
	args := []string{
		"--root", s.root, "--dir", s.dir, "up", "--host", c.Host, "--backends", c.Backends, "--timeout", c.Timeout.String(),
		"--https-port", fmt.Sprint(c.HTTPSPort), "--http-port", fmt.Sprint(c.HTTPPort), "--etcd-members", fmt.Sprint(c.EtcdMembers),
	}
	for key, value := range c.Set {
		args = append(args, "--set", key+"="+value)
	}
	if c.JSON {
		args = append(args, "--json")
	}
	args = append(args, c.Groups...)
	return args
}

// relay shows what the runner says until it says that it is ready, or ends.
func relay(out io.Writer, progress io.Reader) (ready bool, err error) {
	lines := bufio.NewReader(progress)
	for {
		line, err := lines.ReadString('\n')
		if line == readyMark+"\n" {
			return true, nil
		}
		if _, failed := io.WriteString(out, line); failed != nil {
			return false, failed
		}
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
}

// background is the output of a runner that was started by `up -d`: its log,
// and the pipe until the fleet is ready.
type background struct {
	log *os.File

	mu   sync.Mutex // guards pipe
	pipe *os.File   // nil once left
}

func newBackground() *background {
	syscall.CloseOnExec(3)
	return &background{log: os.Stdout, pipe: os.NewFile(3, "progress")}
}

// Write writes to both. A command that no longer waits is no error.
func (b *background) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.pipe != nil {
		_, _ = b.pipe.Write(p)
	}
	return b.log.Write(p)
}

// leave gives the result to the command that waits, and lets it go. The log
// does not need it.
func (b *background) leave(result func(io.Writer) error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	_ = result(b.pipe) // whoever waited may be gone
	_, _ = b.pipe.WriteString(readyMark + "\n")
	_ = b.pipe.Close()
	b.pipe = nil
}

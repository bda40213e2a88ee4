package rig

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/machine"
)

// Spec says how a process is started.
type Spec struct {
	Name  string // its instance name and log file
	Path  string
	Args  []string
	Env   map[string]string // added to PATH and HOME, and nothing else
	CPUs  []int             // it may use; all when empty
	Probe string            // URL that answers 200, or tcp:host:port that accepts, when it is ready
}

// Proc is a running process.
type Proc struct {
	Spec  Spec
	Data  string // of programs of the tree: the data listener's address
	Admin string

	rig *Rig
	cmd *exec.Cmd
	log *os.File
	end chan struct{} // closed when it has ended
}

// Start starts a process and waits until it is ready.
func (g *Rig) Start(ctx context.Context, s Spec) (*Proc, error) {
	p := &Proc{Spec: s, rig: g}
	if err := p.start(ctx); err != nil {
		return nil, err
	}
	g.Defer(p.Kill)
	return p, nil
}

func (p *Proc) start(ctx context.Context) error {
	log, err := os.OpenFile(p.logFile(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("start %s: %w", p.Spec.Name, err)
	}
	cmd := exec.Command(p.Spec.Path, p.Spec.Args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = p.rig.Dir, log, log
	cmd.Env = []string{"PATH=" + os.Getenv("PATH") + ":/usr/local/sbin:/usr/sbin", "HOME=" + p.rig.Dir}
	for _, name := range slices.Sorted(maps.Keys(p.Spec.Env)) {
		cmd.Env = append(cmd.Env, name+"="+p.Spec.Env[name])
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for the runner, which ends them in order
	if err := machine.Start(cmd, p.Spec.CPUs...); err != nil {
		_ = log.Close() // the start is what went wrong
		return fmt.Errorf("start %s: %w", p.Spec.Name, err)
	}
	p.cmd, p.log, p.end = cmd, log, make(chan struct{})
	go func(end chan struct{}) {
		_ = cmd.Wait() // how it ended is told by its log
		_ = log.Close()
		close(end)
	}(p.end)
	if err := p.await(ctx); err != nil {
		p.Kill()
		return err
	}
	return nil
}

// startLimit bounds the wait for readiness, on a busy machine.
const startLimit = 30 * time.Second

func (p *Proc) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for {
		if p.Spec.Probe == "" || probe(ctx, p.Spec.Probe) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s was not ready in %s; its log ends with:\n%s", p.Spec.Name, startLimit, p.tail())
		case <-p.end:
			return fmt.Errorf("%s ended; its log ends with:\n%s", p.Spec.Name, p.tail())
		case <-poll.C:
		}
	}
}

func probe(ctx context.Context, target string) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if addr, ok := strings.CutPrefix(target, "tcp:"); ok {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "tcp", addr)
		if err != nil {
			return false
		}
		return conn.Close() == nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return false
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close() // only the status matters
	return resp.StatusCode == http.StatusOK
}

// PID is the number of the process.
func (p *Proc) PID() int { return p.cmd.Process.Pid }

// Kill ends the process and its descendants at once, as kill -9 does.
func (p *Proc) Kill() {
	select {
	case <-p.end: // its number may be another's by now
		return
	default:
	}
	_ = syscall.Kill(-p.PID(), syscall.SIGKILL) // gone already: what was wanted
	<-p.end
}

// Pause stops the process where it is, as SIGSTOP does, and returns when it stands still.
func (p *Proc) Pause(ctx context.Context) error {
	if err := p.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for {
		stopped, err := machine.Stopped(p.PID())
		if err != nil || stopped {
			return err
		}
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("pause %s: %w", p.Spec.Name, ctx.Err())
		}
	}
}

// Resume lets a paused process go on.
func (p *Proc) Resume() error { return p.signal(syscall.SIGCONT) }

func (p *Proc) signal(s syscall.Signal) error {
	if p.Ended() {
		return fmt.Errorf("signal %s: it has ended", p.Spec.Name)
	}
	if err := syscall.Kill(-p.PID(), s); err != nil {
		return fmt.Errorf("signal %s: %w", p.Spec.Name, err)
	}
	return nil
}

// Ended tells whether the process has.
func (p *Proc) Ended() bool {
	select {
	case <-p.end:
		return true
	default:
		return false
	}
}

// Stop asks the process to end and waits until it has.
func (p *Proc) Stop(ctx context.Context) error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop %s: %w", p.Spec.Name, err)
	}
	select {
	case <-p.end:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop %s: %w", p.Spec.Name, ctx.Err())
	}
}

// Restart starts the ended process again with the same environment and ports.
func (p *Proc) Restart(ctx context.Context) error {
	select {
	case <-p.end:
	default:
		return fmt.Errorf("restart %s: it still runs", p.Spec.Name)
	}
	return p.start(ctx)
}

func (p *Proc) logFile() string { return filepath.Join(p.rig.Dir, p.Spec.Name+".log") }

// Log is everything that the process wrote.
func (p *Proc) Log() ([]byte, error) { return os.ReadFile(p.logFile()) }

// AwaitLog waits until the process has written a text.
func (p *Proc) AwaitLog(ctx context.Context, want string) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for {
		text, err := p.Log()
		if err != nil {
			return err
		}
		if strings.Contains(string(text), want) {
			return nil
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-p.end:
			return fmt.Errorf("%s ended; its log ends with:\n%s", p.Spec.Name, p.tail())
		case <-ctx.Done():
			return fmt.Errorf("%s did not say %q; its log ends with:\n%s", p.Spec.Name, want, p.tail())
		}
	}
}

func (p *Proc) tail() []byte {
	text, err := p.Log()
	if err != nil {
		return []byte(err.Error())
	}
	return text[max(0, len(text)-2000):]
}

// Package supervise keeps one process running: it starts it, watches whether it
// is ready, starts it again when it has crashed, and stops it in order.
//
//	starting → ready ⇄ unready
//	    ↓        ↓        ↓
//	  crashed (waits for the back-off, then starting)
//	stopping → stopped, or starting when it was a restart
package supervise

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/flotilla-dev/flotilla/infra/local/internal/proc"
)

// State of a process.
type State string

// The states.
const (
	Starting State = "starting"
	Ready    State = "ready"
	Unready  State = "unready" // it runs, was ready, and is not
	Paused   State = "paused"
	Crashed  State = "crashed" // it waits to be started again
	Stopping State = "stopping"
	Stopped  State = "stopped"
)

// Spec says what to run.
type Spec struct {
	Name  string
	Path  string
	Args  []string
	Env   []string
	Files []*os.File // inherited, from descriptor 3 on
	Probe Probe
	Grace time.Duration // from SIGTERM to SIGKILL
	Log   io.Writer     // standard output and error
}

// Status is what is known of a process at a moment.
type Status struct {
	State    State
	Reason   string // why it is unready or has crashed
	PID      int
	Start    string    // see proc.Start
	Started  time.Time // of this life
	Lives    int       // how often it was started
	Restarts int       // after crashes
	ExitCode int       // of the life before, -1 when a signal ended it
}

// Process is one supervised process. Make it with New and call Run once.
type Process struct {
	Spec
	starter  *Starter
	onChange func()
	random   func(time.Duration) time.Duration
	wake     chan struct{} // capacity 1: a wish has changed
	done     chan struct{} // closed when Run has returned

	mu          sync.Mutex // guards all below
	status      Status
	changed     chan struct{} // closed and replaced at each change
	wantStop    bool
	wantRestart bool
	paused      bool
}

// New prepares a process. onChange is called after each change of its status,
// and must not block.
func New(spec Spec, starter *Starter, onChange func()) *Process {
	return &Process{
		Spec: spec, starter: starter, onChange: onChange, random: jitter,
		wake: make(chan struct{}, 1), done: make(chan struct{}), changed: make(chan struct{}),
		status: Status{State: Starting},
	}
}

// Run keeps the process running until Stop.
func (p *Process) Run() {
	defer close(p.done)
	crashes := 0
	for {
		stable := p.live()
		switch {
		case p.stopWanted():
			p.update(func(s *Status) { s.State, s.Reason, s.PID = Stopped, "", 0 })
			return
		case p.takeRestart():
			crashes = 0
			continue
		case stable:
			crashes = 0
		}
		p.rest(pause(crashes, p.random))
		crashes++
		if !p.stopWanted() {
			p.update(func(s *Status) { s.Restarts++ })
		}
	}
}

// rest waits before a restart; a wish ends the wait.
func (p *Process) rest(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			return
		case <-p.wake:
			if p.stopWanted() || p.takeRestart() {
				return
			}
		}
	}
}

// live is one life, from start to exit. It tells whether the process had been
// ready for long.
func (p *Process) live() bool {
	cmd := exec.Command(p.Path, p.Args...)
	cmd.Env, cmd.ExtraFiles = p.Env, p.Files
	cmd.Stdout, cmd.Stderr = p.Log, p.Log
	cmd.SysProcAttr = proc.Attributes()
	cmd.WaitDelay = time.Second // for a grandchild that keeps the pipe
	if p.stopWanted() {
		return false
	}
	if err := p.starter.Start(cmd); err != nil {
		p.update(func(s *Status) { s.State, s.Reason, s.PID, s.ExitCode = Crashed, err.Error(), 0, -1 })
		return false
	}
	start, _ := proc.Start(cmd.Process.Pid) // it is gone already when this fails
	p.update(func(s *Status) {
		s.State, s.Reason, s.PID, s.Start, s.Started = Starting, "", cmd.Process.Pid, start, time.Now()
		s.Lives++
	})
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	l := life{p: p, pid: cmd.Process.Pid, exited: exited}
	return l.watch(cmd)
}

// Status returns the status of the moment.
func (p *Process) Status() Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.status
}

// Await waits until the status is as wanted.
func (p *Process) Await(ctx context.Context, wanted func(Status) bool) error {
	for {
		p.mu.Lock()
		status, changed := p.status, p.changed
		p.mu.Unlock()
		if wanted(status) {
			return nil
		}
		if status.State == Stopped {
			return fmt.Errorf("%s was stopped", p.Name)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%s is %s: %w", p.Name, describe(status), context.Cause(ctx))
		}
	}
}

func describe(s Status) string {
	if s.Reason == "" {
		return string(s.State)
	}
	return string(s.State) + ", " + s.Reason
}

func (p *Process) update(change func(*Status)) {
	p.mu.Lock()
	before := p.status
	change(&p.status)
	same := p.status == before
	if !same {
		close(p.changed)
		p.changed = make(chan struct{})
	}
	p.mu.Unlock()
	if !same {
		p.onChange()
	}
}

package supervise

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"github.com/flotilla-dev/flotilla/infra/local/internal/proc"
)

// Stop ends the process in order and returns when it is gone: SIGTERM, and
// SIGKILL when the grace is over. It does not come back.
func (p *Process) Stop() {
	p.mu.Lock()
	p.wantStop = true
	p.mu.Unlock()
	p.rouse()
	<-p.done
}

// End kills the process and does not start it again. Stop waits for it.
func (p *Process) End() error {
	p.mu.Lock()
	p.wantStop = true
	pid := p.status.PID
	p.mu.Unlock()
	p.rouse()
	if pid == 0 {
		return nil
	}
	return proc.KillGroup(pid)
}

// Restart ends the process in order, starts it again and waits until it is
// ready. A process that waits to be restarted after a crash is started at once.
func (p *Process) Restart(ctx context.Context) error {
	p.mu.Lock()
	lives := p.status.Lives
	p.wantRestart = true
	p.mu.Unlock()
	p.rouse()
	return p.Await(ctx, func(s Status) bool { return s.Lives > lives && s.State == Ready })
}

// Signal sends a signal to the process.
func (p *Process) Signal(signal syscall.Signal) (pid int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.status.PID == 0 {
		return 0, fmt.Errorf("%s does not run: it is %s", p.Name, p.status.State)
	}
	if err := syscall.Kill(p.status.PID, signal); err != nil {
		return 0, fmt.Errorf("signal %s: %w", p.Name, err)
	}
	return p.status.PID, nil
}

// pauseLimit bounds how long a process is waited for that was sent SIGSTOP.
const pauseLimit = 5 * time.Second

// Pause stops the process with SIGSTOP: it keeps its memory, its connections
// and its ports, and answers nobody any more when Pause returns.
func (p *Process) Pause() (pid int, err error) {
	if pid, err = p.Signal(syscall.SIGSTOP); err != nil {
		return pid, err
	}
	p.setPaused(true)
	for end := time.Now().Add(pauseLimit); !proc.Stopped(pid); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			return pid, fmt.Errorf("%s (process %d) was sent SIGSTOP and still runs after %s", p.Name, pid, pauseLimit)
		}
	}
	return pid, nil
}

// Resume undoes Pause.
func (p *Process) Resume() (pid int, err error) {
	if pid, err = p.Signal(syscall.SIGCONT); err == nil {
		p.setPaused(false)
	}
	return pid, err
}

func (p *Process) setPaused(paused bool) {
	p.mu.Lock()
	p.paused = paused
	p.mu.Unlock()
	if paused {
		p.update(func(s *Status) { s.State, s.Reason = Paused, "" })
	}
	p.rouse()
}

func (p *Process) rouse() {
	select {
	case p.wake <- struct{}{}:
	default: // it is roused already
	}
}

func (p *Process) stopWanted() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.wantStop
}

func (p *Process) isPaused() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.paused
}

// endWanted tells whether this life is to end, for good or for a new one.
func (p *Process) endWanted() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.wantStop || p.wantRestart
}

// takeRestart takes back the wish for a restart, and tells whether it was there.
func (p *Process) takeRestart() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	wanted := p.wantRestart
	p.wantRestart = false
	return wanted
}

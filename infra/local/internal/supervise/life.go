package supervise

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"syscall"
	"time"

	"github.com/flotilla-dev/flotilla/infra/local/internal/proc"
)

// How often readiness is asked: often while somebody waits for it.
const (
	probeFast = 20 * time.Millisecond
	probeSlow = 500 * time.Millisecond
)

// life is one life of a process.
type life struct {
	p      *Process
	pid    int
	exited chan error

	ready   time.Time // since when it is ready, zero when it is not
	was     bool      // ready at some time
	ending  bool      // it was told to end
	overdue <-chan time.Time
}

// watch follows the life to its end.
func (l *life) watch(cmd *exec.Cmd) bool {
	ctx, cancel := context.WithCancel(context.Background())
	probes := make(chan error)
	probing := make(chan struct{})
	go func() {
		defer close(probing)
		l.probe(ctx, probes)
	}()
	defer func() {
		cancel()
		<-probing
	}()
	stable := false
	l.end() // it may have been wished while the process started
	for {
		select {
		case err := <-l.exited:
			l.died(cmd, err)
			return stable
		case err := <-probes:
			l.probed(err)
			stable = stable || !l.ready.IsZero() && time.Since(l.ready) > stableFor
		case <-l.p.wake:
			l.end()
		case <-l.overdue:
			l.overdue = nil
			_ = proc.KillGroup(l.pid) // its exit tells whether that helped
		}
	}
}

// probe asks again and again, and reports each answer.
func (l *life) probe(ctx context.Context, probes chan<- error) {
	every := probeFast
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		asked, cancel := context.WithTimeout(ctx, probeTimeout)
		err := l.p.Probe(asked)
		cancel()
		every = probeFast
		if err == nil {
			every = probeSlow
		}
		select {
		case <-ctx.Done():
			return
		case probes <- err:
		}
		timer.Reset(every)
	}
}

// probed takes the answer of a probe.
func (l *life) probed(err error) {
	if l.ending || l.p.isPaused() {
		return
	}
	if err == nil {
		if l.ready.IsZero() {
			l.ready = time.Now()
		}
		l.was = true
		l.p.update(func(s *Status) { s.State, s.Reason = Ready, "" })
		return
	}
	l.ready = time.Time{}
	l.p.update(func(s *Status) {
		s.State, s.Reason = Starting, err.Error()
		if l.was {
			s.State = Unready
		}
	})
}

// end begins the end of the life, when it is wished. A paused process is
// resumed: it could not take the signal otherwise.
func (l *life) end() {
	if l.ending || !l.p.endWanted() {
		return
	}
	l.ending = true
	l.p.mu.Lock()
	l.p.paused = false
	l.p.mu.Unlock()
	l.p.update(func(s *Status) { s.State, s.Reason = Stopping, "" })
	// When these fail the process is gone, which its exit tells.
	_ = syscall.Kill(l.pid, syscall.SIGTERM)
	_ = syscall.Kill(l.pid, syscall.SIGCONT)
	l.overdue = time.After(l.p.Grace)
}

// died records the exit.
func (l *life) died(cmd *exec.Cmd, err error) {
	_ = proc.KillGroup(l.pid) // what it started and did not end
	reason := "exit status 0"
	if err != nil {
		reason = err.Error()
	}
	code := cmd.ProcessState.ExitCode()
	var ended *exec.ExitError
	if !errors.As(err, &ended) && err != nil {
		reason = fmt.Sprintf("wait: %v", err)
	}
	l.p.mu.Lock()
	l.p.paused = false
	l.p.mu.Unlock()
	l.p.update(func(s *Status) {
		s.State, s.Reason, s.PID, s.ExitCode = Crashed, reason, 0, code
		if l.ending {
			s.State = Stopping
		}
	})
}

package fleet

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/flotilla-dev/flotilla/infra/local/internal/supervise"
	"github.com/flotilla-dev/flotilla/infra/local/internal/topology"
	"github.com/flotilla-dev/flotilla/internal/retry"
)

// signals that may be sent, by name.
var signals = [...]struct {
	name   string
	signal syscall.Signal
}{
	{"KILL", syscall.SIGKILL}, {"TERM", syscall.SIGTERM}, {"INT", syscall.SIGINT}, {"QUIT", syscall.SIGQUIT},
	{"HUP", syscall.SIGHUP}, {"ABRT", syscall.SIGABRT}, {"USR1", syscall.SIGUSR1}, {"USR2", syscall.SIGUSR2},
}

// killLimit bounds how long a process that was sent SIGKILL may take to end.
const killLimit = 10 * time.Second

// Kill sends a signal to a replica and does nothing else: what happens then is
// what happens when a process dies. SIGKILL is waited for, so that whoever asks
// next asks after the death.
func (f *Fleet) Kill(ctx context.Context, name, signal string, say func(string)) error {
	m, err := f.one(name)
	if err != nil {
		return err
	}
	short := strings.TrimPrefix(strings.ToUpper(signal), "SIG")
	for _, s := range signals {
		if s.name != short && fmt.Sprint(int(s.signal)) != signal {
			continue
		}
		pid, err := m.Signal(s.signal)
		if err != nil {
			return err
		}
		say(fmt.Sprintf("sent SIG%s to %s (process %d)", s.name, m.Name, pid))
		if s.signal != syscall.SIGKILL {
			return nil
		}
		ctx, cancel := context.WithTimeout(ctx, killLimit)
		defer cancel()
		return m.Await(ctx, func(s supervise.Status) bool { return s.PID != pid })
	}
	return fmt.Errorf("signal %q: want KILL, TERM, INT, QUIT, HUP, ABRT, USR1 or USR2; see also pause and resume", signal)
}

// Pause stops a replica with SIGSTOP.
func (f *Fleet) Pause(name string, say func(string)) error {
	m, err := f.one(name)
	if err != nil {
		return err
	}
	pid, err := m.Pause()
	if err != nil {
		return err
	}
	say(fmt.Sprintf("paused %s (process %d): it keeps its ports and answers nobody", m.Name, pid))
	return nil
}

// Resume undoes Pause.
func (f *Fleet) Resume(name string, say func(string)) error {
	m, err := f.one(name)
	if err != nil {
		return err
	}
	pid, err := m.Resume()
	if err != nil {
		return err
	}
	say(fmt.Sprintf("resumed %s (process %d)", m.Name, pid))
	return nil
}

// Restart restarts a replica, or all of a service one after the other: the next
// one only when the one before is ready and its callers know. One that does not
// come back ends the command; the rest keeps running as it is.
func (f *Fleet) Restart(ctx context.Context, name string, say func(string)) error {
	ctx, release, err := f.takeTurn(ctx)
	if err != nil {
		return err
	}
	defer release()
	members, err := f.named(name)
	if err != nil {
		return err
	}
	for i, m := range members {
		if i > 0 {
			if err := retry.Sleep(ctx, f.cfg.Settle); err != nil {
				return err
			}
		}
		begin := time.Now()
		if err := f.restartOne(ctx, m); err != nil {
			return err
		}
		say(fmt.Sprintf("restarted %s (process %d) in %s", m.Name, m.Status().PID, seconds(time.Since(begin))))
	}
	return nil
}

func (f *Fleet) restartOne(ctx context.Context, m *member) error {
	ctx, cancel := context.WithTimeout(ctx, f.cfg.ReadyTimeout+m.Grace)
	defer cancel()
	if err := m.Restart(ctx); err != nil {
		return f.withLog(m, fmt.Errorf("restart %s: %w", m.Name, err))
	}
	return nil
}

// Scale brings a service to n replicas. A new one is published when it is
// ready; one that goes is taken back first, so that its callers move away while
// it still serves.
func (f *Fleet) Scale(ctx context.Context, service string, n int, say func(string)) error {
	ctx, release, err := f.takeTurn(ctx)
	if err != nil {
		return err
	}
	defer release()
	s, err := f.scalable(service, n)
	if err != nil {
		return err
	}
	for have := len(f.of(service)); have != n; have = len(f.of(service)) {
		if have < n {
			err = f.grow(ctx, s, have+1, say)
		} else {
			err = f.shrink(service, say)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// maxReplicas bounds what a slip of the finger can start.
const maxReplicas = 64

func (f *Fleet) scalable(service string, n int) (topology.Service, error) {
	at := slices.IndexFunc(f.cfg.Table, func(s topology.Service) bool { return s.Name == service })
	if at < 0 {
		var known []string
		for _, s := range f.cfg.Table {
			known = append(known, s.Name)
		}
		return topology.Service{}, fmt.Errorf("there is no service %q; there are %s", service, join(known))
	}
	s := f.cfg.Table[at]
	if s.Single {
		return s, fmt.Errorf("%s runs once: it keeps state that replicas would not share", service)
	}
	if s.Fixed {
		return s, fmt.Errorf("%s has as many replicas as it was started with: they know each other", service)
	}
	if n < 1 || n > maxReplicas {
		return s, fmt.Errorf("%d replicas: want 1 to %d", n, maxReplicas)
	}
	return s, nil
}

func (f *Fleet) grow(ctx context.Context, s topology.Service, n int, say func(string)) error {
	m, err := f.member(s, n)
	if err != nil {
		return err
	}
	f.start(m)
	if err := f.awaitReady(ctx, m); err != nil {
		f.stop(m)
		return err
	}
	f.set(func() {
		after := 0
		for i, other := range f.members {
			if other.service.Name == s.Name {
				after = i + 1
			}
		}
		f.members = slices.Insert(f.members, after, m)
	})
	say(fmt.Sprintf("started %s (process %d)", m.Name, m.Status().PID))
	return f.publish(s.Name)
}

func (f *Fleet) shrink(service string, say func(string)) error {
	replicas := f.of(service)
	last := replicas[len(replicas)-1]
	f.set(func() { f.members = slices.DeleteFunc(f.members, func(m *member) bool { return m == last }) })
	if err := f.publish(service); err != nil {
		return err
	}
	f.stop(last)
	say("stopped " + last.Name)
	return nil
}

// takeTurn lets one restart or scaling happen at a time, and none once the
// fleet goes down, which also ends the context.
func (f *Fleet) takeTurn(ctx context.Context) (turn context.Context, release func(), err error) {
	select {
	case <-f.ending:
		return nil, nil, fmt.Errorf("the fleet goes down")
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	case f.turn <- struct{}{}:
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.phase != "ready" {
		<-f.turn
		return nil, nil, fmt.Errorf("the fleet is %s", f.phase)
	}
	turn, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		select {
		case <-f.ending:
			cancel(fmt.Errorf("the fleet goes down"))
		case <-done:
		}
	}()
	return turn, func() {
		close(done)
		cancel(nil)
		<-f.turn
	}, nil
}

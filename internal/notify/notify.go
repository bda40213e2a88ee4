// Package notify tells an application that its files have changed, by a signal to
// its process.
//
// The process is found by a pid file or by its name, in a PID namespace that is
// shared with it. A wrong process must never be signalled, so that one is taken
// only when everything fits: it is neither this process nor process 1 (the pause
// container, in a pod), a pid file is not older than the process it names, a name
// leads to one process tree, and the process is held fast (pidfd) before it is
// looked at.
//
// A process that has started after the files were written has read them and needs
// no signal. One that is not there yet is waited for.
package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"syscall"
	"time"
)

// Signals that can be chosen, by name.
var signals = map[string]syscall.Signal{
	"none": 0, "SIGHUP": syscall.SIGHUP, "SIGUSR1": syscall.SIGUSR1, "SIGUSR2": syscall.SIGUSR2, "SIGTERM": syscall.SIGTERM, "SIGKILL": syscall.SIGKILL,
}

// Signal is what is sent, by name; "none" is nothing.
type Signal string

// UnmarshalText accepts the names of signals.
func (s *Signal) UnmarshalText(text []byte) error {
	if _, known := signals[string(text)]; !known {
		return errors.New("want none, SIGHUP, SIGUSR1, SIGUSR2, SIGTERM or SIGKILL")
	}
	*s = Signal(text)
	return nil
}

// Options say who is told and how.
type Options struct {
	Signal  Signal
	PIDFile string // with the number of the process
	Process string // its name; with a pid file, the process must have it
	Log     *slog.Logger
	Count   func(result string) // of each attempt: sent, unneeded, absent or error
}

// Notifier sends a signal after each change.
type Notifier struct {
	Options
	wake chan struct{}

	mu      sync.Mutex // guards all below
	status  Status
	changes uint64        // so far
	due     time.Duration // when the last one was, since boot; 0: not known
}

// Status is what is told of the signal.
type Status struct {
	Signal  Signal    `json:"signal"`
	Pending bool      `json:"pending"`         // the application has not been told yet
	PID     int       `json:"pid,omitempty"`   // that was told last
	At      time.Time `json:"at,omitzero"`     // when
	Error   string    `json:"error,omitempty"` // why it is pending
}

// New returns a notifier; Run makes it work.
func New(o Options) *Notifier {
	return &Notifier{Options: o, wake: make(chan struct{}, 1), status: Status{Signal: o.Signal}}
}

// Status returns what became of the last change.
func (n *Notifier) Status() Status {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.status
}

// Changed says that files were written just now.
func (n *Notifier) Changed() {
	if n.Signal == "none" {
		return
	}
	n.mu.Lock()
	n.changes++
	n.due, n.status.Pending = sinceBoot(), true
	n.mu.Unlock()
	select {
	case n.wake <- struct{}{}:
	default: // it is awake already and has not looked yet
	}
}

// again is how long an application that cannot be told is waited for.
const again = 250 * time.Millisecond

// Run sends what is due until ctx ends.
func (n *Notifier) Run(ctx context.Context) {
	tick := time.NewTicker(again)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.wake:
		case <-tick.C:
		}
		n.deliver()
	}
}

// deliver sends the signal if it is due.
func (n *Notifier) deliver() {
	n.mu.Lock()
	pending, changes, due := n.status.Pending, n.changes, n.due
	n.mu.Unlock()
	if !pending {
		return
	}
	pid, result, err := n.send(due)
	n.mu.Lock()
	defer n.mu.Unlock()
	if err != nil {
		if n.status.Error != err.Error() { // told once
			n.Count(result)
			n.Log.Warn("application not told of its new files", "error", err)
		}
		n.status.Error = err.Error()
		return
	}
	n.Count(result)
	n.Log.Info("application told of its new files", "signal", string(n.Signal), "pid", pid, "result", result)
	n.status.PID, n.status.At, n.status.Error = pid, time.Now().UTC().Truncate(time.Millisecond), ""
	n.status.Pending = n.changes != changes // then the files were written again
}

// send finds the process and signals it, unless it has started after the files
// were written. Its errors may be shown.
func (n *Notifier) send(due time.Duration) (pid int, result string, err error) {
	found, err := n.find()
	if err != nil {
		return 0, "absent", err
	}
	if due != 0 && found.started > due+resolution {
		return found.pid, "unneeded", nil
	}
	held, err := os.FindProcess(found.pid)
	if err != nil {
		return 0, "absent", fmt.Errorf("process %d has ended", found.pid)
	}
	defer func() { _ = held.Release() }() // it is not ours to wait for
	// Now that the number cannot become another process's: is it still the same?
	if now, err := look(found.pid); err != nil || now.started != found.started {
		return 0, "absent", fmt.Errorf("process %d has ended", found.pid)
	}
	switch err := held.Signal(signals[string(n.Signal)]); {
	case errors.Is(err, os.ErrProcessDone):
		return 0, "absent", fmt.Errorf("process %d has ended", found.pid)
	case errors.Is(err, os.ErrPermission):
		return 0, "error", fmt.Errorf("process %d belongs to another user: the two containers need the same one", found.pid)
	case err != nil:
		return 0, "error", fmt.Errorf("process %d cannot be signalled", found.pid)
	}
	return found.pid, "sent", nil
}

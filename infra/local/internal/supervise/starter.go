package supervise

import (
	"os/exec"
	"runtime"
)

// Starter starts processes from one operating-system thread that lives as long
// as the Starter. Linux ties "die with the parent" to the thread that forked,
// not to the process: a child of a thread that the Go runtime retires would be
// killed for no reason.
type Starter struct{ work chan func() }

// NewStarter starts the thread. Close it when no child is left.
func NewStarter() *Starter {
	s := &Starter{work: make(chan func())}
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		for f := range s.work {
			f()
		}
	}()
	return s
}

// Start is cmd.Start on that thread.
func (s *Starter) Start(cmd *exec.Cmd) error {
	result := make(chan error)
	s.work <- func() { result <- cmd.Start() }
	return <-result
}

// Close ends the thread.
func (s *Starter) Close() { close(s.work) }

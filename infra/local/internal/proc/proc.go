// Package proc tells what the operating system knows of a process: whether it
// is still the one that was started, how much memory it uses, who holds a port.
// A process number alone names nobody, because numbers are used again; the
// number and the time of the start do.
package proc

import (
	"errors"
	"syscall"
)

// Alive tells whether the process that had this number and this start time
// still runs. One that ended and was not yet waited for does not.
func Alive(pid int, start string) bool {
	if pid <= 0 || start == "" {
		return false
	}
	now, err := Start(pid)
	return err == nil && now == start
}

// KillGroup ends a process and what it started, at once.
func KillGroup(pid int) error {
	err := syscall.Kill(-pid, syscall.SIGKILL)
	if errors.Is(err, syscall.ESRCH) {
		return nil
	}
	return err
}

package machine

import (
	"context"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Sleep waits more exactly than time.Sleep, whose timers are up to a millisecond
// late. It keeps a thread while it waits.
func Sleep(d time.Duration) {
	left := unix.NsecToTimespec(int64(d))
	for unix.Nanosleep(&left, &left) == unix.EINTR {
	}
}

// Wait waits as exactly as Sleep, keeps no thread, and ends with the cause of the end of ctx when that comes before: a timer of the kernel's is read.
func Wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return context.Cause(ctx)
	}
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("timerfd_create", err)
	}
	timer := os.NewFile(uintptr(fd), "timer")
	defer func() { _ = timer.Close() }() // nothing was written
	if err := unix.TimerfdSettime(fd, 0, &unix.ItimerSpec{Value: unix.NsecToTimespec(int64(d))}, nil); err != nil {
		return os.NewSyscallError("timerfd_settime", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = timer.SetReadDeadline(time.Unix(1, 0)) }) // fails when the timer is closed, and then nobody reads
	defer stop()
	var expired [8]byte
	if _, err := timer.Read(expired[:]); err != nil && ctx.Err() == nil {
		return err
	}
	return context.Cause(ctx)
}

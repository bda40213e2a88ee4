//go:build !linux

package machine

import (
	"context"
	"os/exec"
	"time"
)

// Start starts a command; pinning it to CPUs needs Linux.
func Start(cmd *exec.Cmd, cpus ...int) error {
	if len(cpus) > 0 {
		return ErrUnsupported
	}
	return cmd.Start()
}

// CPUs is unknown here.
func CPUs() []int { return nil }

// Sleep is time.Sleep.
func Sleep(d time.Duration) { time.Sleep(d) }

// Wait is a timer of time.
func Wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

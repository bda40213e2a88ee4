//go:build !linux

package machine

import (
	"context"
	"os/exec"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
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

// Wait is retry.Sleep.
func Wait(ctx context.Context, d time.Duration) error { return retry.Sleep(ctx, d) }

package state

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// ErrRunning says that a runner already keeps this directory.
var ErrRunning = errors.New("a fleet runs from this directory already")

// Lock makes this process the runner of the directory until unlock is called or
// it ends, however it ends. Children do not inherit it.
func Lock(dir string) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(dir, "runner.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, errors.Join(ErrRunning, f.Close())
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { f.Close() }, nil
}

// endLimit is how long a runner may take from its last answer to its end.
const endLimit = 10 * time.Second

// AwaitEnd waits until no runner keeps the directory.
func AwaitEnd(ctx context.Context, dir string) error {
	ctx, cancel := context.WithTimeout(ctx, endLimit)
	defer cancel()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for {
		unlock, err := Lock(dir)
		if !errors.Is(err, ErrRunning) {
			if err == nil {
				unlock()
			}
			return err
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for the end of the runner: %w", ctx.Err())
		}
	}
}

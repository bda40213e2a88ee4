package retry

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A Policy is how Do repeats. The zero value repeats at once and for ever, so
// set at least Backoff.
type Policy struct {
	Backoff  Backoff
	Attempts int           // most calls; 0 means until the context is done
	Timeout  time.Duration // bound of one call; 0 means none but the context's
	// Before is told of each wait: which call failed (from 1), how, and for how
	// long Do is going to wait. Nil means silence.
	Before func(attempt int, err error, wait time.Duration)
}

// Do calls fn until it returns nil, an error made by Stop, or until the policy
// or the context ends it; then it returns the last error of fn. A call that
// asks for a delay by After is not repeated earlier. When the next call could
// only begin after the context's deadline, Do returns at once.
func Do(ctx context.Context, p Policy, fn func(context.Context) error) error {
	for attempt := 1; ; attempt++ {
		err := once(ctx, p.Timeout, fn)
		if err == nil {
			return nil
		}
		var stop stopError
		if errors.As(err, &stop) {
			return stop.error
		}
		if ctx.Err() != nil {
			return ended(ctx, err)
		}
		if p.Attempts > 0 && attempt >= p.Attempts {
			return fmt.Errorf("gave up after %d attempts: %w", attempt, err)
		}
		wait := p.Backoff.Delay(attempt - 1)
		var after afterError
		if errors.As(err, &after) {
			// On top of what was asked for, else all clients return at once.
			wait += after.wait
		}
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < wait {
			return fmt.Errorf("%w (next attempt in %s): %w", context.DeadlineExceeded, wait, err)
		}
		if p.Before != nil {
			p.Before(attempt, err, wait)
		}
		if Sleep(ctx, wait) != nil {
			return ended(ctx, err)
		}
	}
}

func once(ctx context.Context, timeout time.Duration, fn func(context.Context) error) error {
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	return fn(ctx)
}

// ended joins why the context is done with the last error, unless they are one.
func ended(ctx context.Context, err error) error {
	if errors.Is(err, ctx.Err()) {
		return err
	}
	return fmt.Errorf("%w: %w", ctx.Err(), err)
}

// Sleep waits for d or until ctx is done, and then returns the cause of that.
func Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return context.Cause(ctx)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// Stop marks an error that repeating does not mend: Do returns err itself.
func Stop(err error) error {
	if err == nil {
		return nil
	}
	return stopError{err}
}

type stopError struct{ error }

func (e stopError) Unwrap() error { return e.error }

// After marks an error of a server that asked not to be called again earlier
// than wait (see ParseRetryAfter).
func After(err error, wait time.Duration) error {
	if err == nil {
		return nil
	}
	return afterError{err, wait}
}

type afterError struct {
	error
	wait time.Duration
}

func (e afterError) Unwrap() error { return e.error }

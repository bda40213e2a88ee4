package httpclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"
)

// ErrBodyTooLarge is the error of an answer with more than Options.MaxBody.
var ErrBodyTooLarge = errors.New("answer's body is too large")

func tooLarge(limit int64) error {
	return fmt.Errorf("%w: more than %d bytes", ErrBodyTooLarge, limit)
}

// What closing an unread body reads at most, to save the connection.
const (
	drainBytes = 64 << 10
	drainTime  = 50 * time.Millisecond
)

// Drain reads what is left of a body that is about to be closed, if it is small and
// quick, so that its connection can be used again. abort must end the reading: it
// is called when that takes long.
func Drain(body io.Reader, abort func()) {
	timer := time.AfterFunc(drainTime, abort)
	defer timer.Stop()
	_, _ = io.CopyN(io.Discard, body, drainBytes)
}

// reported is an answer's body whose end is the end of the attempt.
type reported struct {
	io.ReadCloser
	attempt *attempt
	ended   atomic.Bool
}

func (b *reported) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	switch {
	case err == nil:
	case errors.Is(err, io.EOF):
		b.ended.Store(true)
		b.attempt.end(b.attempt.outcome)
	default:
		b.ended.Store(true)
		b.attempt.end(b.attempt.outcomeOf(err))
	}
	return n, err
}

// Close leaves the connection usable if the rest of the body is small and quick.
func (b *reported) Close() error {
	if !b.ended.Swap(true) {
		Drain(b.ReadCloser, b.attempt.cancel)
	}
	err := b.ReadCloser.Close()
	b.attempt.end(b.attempt.outcome)
	return err
}

// body is what the caller reads: bounded, and the end of the call's deadline.
type body struct {
	io.ReadCloser
	cancel context.CancelFunc
	limit  int64 // 0: none
	left   int64
}

func (b *body) Read(p []byte) (int, error) {
	if b.limit <= 0 {
		return b.ReadCloser.Read(p)
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1] // one more tells whether it ends here
	}
	n, err := b.ReadCloser.Read(p)
	if int64(n) > b.left {
		n, b.left = int(b.left), 0
		return n, tooLarge(b.limit)
	}
	b.left -= int64(n)
	return n, err
}

func (b *body) Close() error {
	err := b.ReadCloser.Close()
	b.cancel()
	return err
}

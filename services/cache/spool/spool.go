// Package spool holds a response body that is still arriving, for any number of readers who each go at
// their own pace.
//
// Up to its limit the body is kept whole: no reader can hold up the writer or another reader, a reader may
// begin late, and the complete body can be stored. A body that grows past the limit is passed through: it
// is not kept any more, nobody may begin, and the writer stays at most Window bytes ahead of the slowest
// reader. One that takes nothing for Lag while the window is full is cut off.
package spool

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"
)

const (
	// Window is how far the writer of a passed body runs ahead of its slowest reader.
	Window = 1 << 20
	// Lag is how long a reader may hold up the others.
	Lag = 10 * time.Second
	// chunk is what is read at a time when the length is not known.
	chunk = 32 << 10
)

// The ways in which a body ends early.
var (
	ErrTooSlow  = errors.New("reader was too slow and is cut off")
	ErrNoReader = errors.New("nobody reads the body any more")
)

// Body is a body that arrives. Make it with [New].
type Body struct {
	limit  int64
	length int64

	mu      sync.Mutex // guards the rest
	chunks  [][]byte   // the bytes from base on
	base    int64
	size    int64 // received so far
	passing bool
	done    bool
	err     error
	readers map[*Reader]struct{}
	wake    chan struct{} // closed at the next change, if somebody waits
}

// New makes a body that is kept up to limit bytes. length is what the header declared, or -1.
func New(length, limit int64) *Body {
	b := &Body{limit: limit, length: length, readers: map[*Reader]struct{}{}}
	if length > limit {
		b.passing = true
	}
	if length > 0 && !b.passing {
		b.chunks = [][]byte{make([]byte, 0, length)}
	}
	return b
}

// Length is what the header declared, or -1.
func (b *Body) Length() int64 { return b.length }

// Passing reports whether the body is (by now) too large to be kept.
func (b *Body) Passing() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.passing
}

// Fill reads r to its end and returns its error, nil for a regular end, and then the whole body unless it
// was passed through. It ends early with ErrNoReader when a passed body has no reader left.
func (b *Body) Fill(ctx context.Context, r io.Reader) ([]byte, error) {
	for {
		n, err := r.Read(b.space())
		if err == io.EOF {
			b.add(n)
			return b.end(nil), nil
		}
		if b.add(n); err == nil {
			err = b.makeRoom(ctx)
		}
		if err != nil {
			b.end(err)
			return nil, err
		}
	}
}

// space returns room for the next read. Only the writer touches bytes past a chunk's length.
func (b *Body) space() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n := len(b.chunks); n > 0 {
		if last := b.chunks[n-1]; len(last) < cap(last) {
			return last[len(last):cap(last)]
		}
	}
	next := make([]byte, 0, b.nextSize())
	b.chunks = append(b.chunks, next)
	return next[:cap(next)]
}

// nextSize lets chunks grow, so that a small body of unknown length costs little, and so does the read that
// finds the end after a declared length.
func (b *Body) nextSize() int {
	if len(b.chunks) <= 1 {
		return 4 << 10
	}
	return chunk
}

func (b *Body) add(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n == 0 {
		return
	}
	last := len(b.chunks) - 1
	b.chunks[last] = b.chunks[last][:len(b.chunks[last])+n]
	b.size += int64(n)
	if b.size > b.limit {
		b.passing = true
	}
	b.broadcast()
}

// end marks the end and returns the whole body.
func (b *Body) end(err error) []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done, b.err = true, err
	b.broadcast()
	if err != nil || b.passing {
		return nil
	}
	if n := len(b.chunks); n > 1 && len(b.chunks[n-1]) == 0 {
		b.chunks = b.chunks[:n-1]
	}
	if len(b.chunks) == 1 && cap(b.chunks[0])-len(b.chunks[0]) <= len(b.chunks[0])/8 {
		return b.chunks[0]
	}
	whole := make([]byte, 0, b.size)
	for _, c := range b.chunks {
		whole = append(whole, c...)
	}
	b.chunks = [][]byte{whole}
	return whole
}

// broadcast wakes everybody who waits. Called with mu held.
func (b *Body) broadcast() {
	if b.wake != nil {
		close(b.wake)
		b.wake = nil
	}
}

// waiting returns a channel that is closed at the next change. Called with mu held.
func (b *Body) waiting() <-chan struct{} {
	if b.wake == nil {
		b.wake = make(chan struct{})
	}
	return b.wake
}

// makeRoom drops what all readers of a passed body have had, and waits for the slowest when the window is
// full.
func (b *Body) makeRoom(ctx context.Context) error {
	var lag <-chan time.Time
	for {
		b.mu.Lock()
		if !b.passing {
			b.mu.Unlock()
			return nil
		}
		slowest, found := b.slowest()
		if !found {
			b.mu.Unlock()
			return ErrNoReader
		}
		b.drop(slowest.at)
		if b.size-slowest.at < Window {
			b.mu.Unlock()
			return nil
		}
		changed := b.waiting()
		b.mu.Unlock()
		if lag == nil {
			timer := time.NewTimer(Lag)
			defer timer.Stop()
			lag = timer.C
		}
		select {
		case <-changed:
		case <-lag:
			b.cut(slowest)
			lag = nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (b *Body) slowest() (r *Reader, found bool) {
	for one := range b.readers {
		if r == nil || one.at < r.at {
			r = one
		}
	}
	return r, r != nil
}

// drop forgets whole chunks before the offset.
func (b *Body) drop(before int64) {
	for len(b.chunks) > 1 && b.base+int64(len(b.chunks[0])) <= before {
		b.base += int64(len(b.chunks[0]))
		b.chunks[0] = nil
		b.chunks = b.chunks[1:]
	}
}

func (b *Body) cut(r *Reader) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r.cut = true
	delete(b.readers, r)
	b.broadcast()
}

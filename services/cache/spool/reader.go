package spool

import (
	"context"
	"io"
)

// Reader reads a Body from an offset. It belongs to one goroutine. Close it.
type Reader struct {
	body *Body
	at   int64 // next byte; guarded by body.mu
	end  int64 // where to stop; -1: at the body's end
	cut  bool  // guarded by body.mu
}

// Reader begins to read at from, up to end (-1: all). It fails when the bytes from there are not kept any
// more.
func (b *Body) Reader(from, end int64) (*Reader, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if from < b.base || b.passing && b.size > 0 && len(b.readers) == 0 {
		return nil, false
	}
	r := &Reader{body: b, at: from, end: end}
	b.readers[r] = struct{}{}
	return r, true
}

// Close detaches the reader.
func (r *Reader) Close() {
	b := r.body
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.readers, r)
	b.broadcast()
}

// Next waits for bytes and returns all that can be had without copying. They are valid as long as the
// caller holds them. The error is io.EOF at a regular end.
func (r *Reader) Next(ctx context.Context) ([]byte, error) {
	b := r.body
	for {
		b.mu.Lock()
		p, err := r.available()
		if p != nil || err != nil {
			b.mu.Unlock()
			return p, err
		}
		changed := b.waiting()
		b.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// available returns the next bytes without waiting. Called with mu held.
func (r *Reader) available() ([]byte, error) {
	b := r.body
	switch {
	case r.cut:
		return nil, ErrTooSlow
	case r.end >= 0 && r.at >= r.end:
		return nil, io.EOF
	case r.at < b.size:
		return r.take(), nil
	case b.done && b.err != nil:
		return nil, b.err
	case b.done:
		return nil, io.EOF
	}
	return nil, nil
}

// take returns the rest of the chunk that holds the next byte.
func (r *Reader) take() []byte {
	b := r.body
	start := b.base
	for _, c := range b.chunks {
		if r.at < start+int64(len(c)) {
			p := c[r.at-start:]
			if r.end >= 0 {
				p = p[:min(int64(len(p)), r.end-r.at)]
			}
			r.at += int64(len(p))
			if b.passing {
				b.broadcast() // the writer may wait for this
			}
			return p
		}
		start += int64(len(c))
	}
	return nil
}

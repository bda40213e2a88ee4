// Package watch tells when a file has new content.
//
// Configuration, endpoint lists and certificates reach a process as files that
// others replace: by rename, by a symbolic link that is swapped (as Kubernetes
// does for a mounted Secret), or in place. Watching by polling sees all three
// alike, needs no kernel resource per watcher, and works on every file system;
// a poll of an unchanged file is one stat.
package watch

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"time"
)

// Interval is how often a watched file is looked at.
const Interval = 200 * time.Millisecond

// Settle is how long new content has to stay the same before it counts. A file
// that is rewritten in place is empty first and half-written then; who looks at
// that moment must not take it for what somebody wanted to say.
const Settle = 20 * time.Millisecond

// MaxSize bounds what is read of a watched file: configuration is small, and a
// path that was pointed at something else by mistake must not fill the memory.
const MaxSize = 4 << 20

// Read returns the content of path, or an error when it is larger than MaxSize.
func Read(path string) ([]byte, error) { return ReadUpTo(path, MaxSize) }

// ReadUpTo is Read with another bound, for data that is large by nature.
func ReadUpTo(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if int64(len(b)) > most {
		return nil, fmt.Errorf("read %s: larger than %d bytes", path, most)
	}
	return b, nil
}

// File calls changed with the whole content of path each time it differs from
// the content seen last, which at first is seen, and has stayed so for [Settle].
// It returns when ctx is done.
// A file that vanishes or cannot be read is no change: whoever uses it keeps
// what he has. changed is called from one goroutine only.
func File(ctx context.Context, path string, seen []byte, changed func(content []byte)) {
	FileUpTo(ctx, path, MaxSize, Of(seen), changed)
}

// A Sum stands for content that is too large to be kept for a comparison.
type Sum [sha256.Size]byte

// Of is the sum of content.
func Of(content []byte) Sum { return sha256.Sum256(content) }

// FileUpTo is File with another bound of the size, for data that is large by nature.
func FileUpTo(ctx context.Context, path string, most int64, seen Sum, changed func(content []byte)) {
	tick := time.NewTicker(Interval)
	defer tick.Stop()
	var last os.FileInfo
	for {
		if now, err := os.Stat(path); err == nil && !same(last, now) {
			if content, sum, ok := settled(ctx, path, most, seen); ok {
				last = now
				if sum != seen {
					seen = sum
					changed(content)
				}
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// settled reads path, twice when it holds something else than seen. It says no
// to a file that cannot be read and to one that is being written.
func settled(ctx context.Context, path string, most int64, seen Sum) ([]byte, Sum, bool) {
	content, err := ReadUpTo(path, most)
	sum := Of(content)
	if err != nil || sum == seen {
		return content, sum, err == nil
	}
	select {
	case <-ctx.Done():
		return nil, sum, false
	case <-time.After(Settle):
	}
	again, err := ReadUpTo(path, most)
	return again, sum, err == nil && Of(again) == sum
}

// same tells that a file was surely not written between two looks at it. A
// change within the clock's resolution of an earlier one would escape the
// comparison, so a file that is younger than a second counts as changed.
func same(a, b os.FileInfo) bool {
	return a != nil && os.SameFile(a, b) && a.Size() == b.Size() &&
		a.ModTime().Equal(b.ModTime()) && time.Since(b.ModTime()) > time.Second
}

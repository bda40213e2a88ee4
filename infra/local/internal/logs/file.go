// Package logs takes what processes write, keeps it in files of bounded size,
// and shows it to people: with the replica's name in front, in its colour, and
// JSON lines of slog in a shape that eyes can follow.
package logs

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"sync"
)

const (
	// maxFile is the size at which a file becomes NAME.log.1 and a new one begins.
	maxFile = 8 << 20

	// maxLine cuts what has no end of line.
	maxLine = 64 << 10
)

// File is the log of one replica. Lines go into a file and, whole, to an
// observer. It is not created before something is written.
type File struct {
	path    string
	limit   int64
	observe func(line []byte) // may be nil

	mu      sync.Mutex // guards all below
	file    *os.File
	size    int64
	pending []byte // the beginning of a line
}

// NewFile prepares the log of a replica in a directory.
func NewFile(dir, name string, observe func(line []byte)) *File {
	return &File{path: Path(dir, name), limit: maxFile, observe: observe}
}

// Path is the log file of a replica.
func Path(dir, name string) string { return filepath.Join(dir, name+".log") }

// Write never fails: what a process says must not stop it.
func (f *File) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pending = append(f.pending, p...)
	for {
		end := bytes.IndexByte(f.pending, '\n')
		if end < 0 && len(f.pending) < maxLine {
			return len(p), nil
		}
		if end < 0 || end >= maxLine {
			end = maxLine - 1
			f.line(append(bytes.Clone(f.pending[:end]), '\n'))
			f.pending = f.pending[end:]
			continue
		}
		f.line(f.pending[:end+1])
		f.pending = f.pending[end+1:]
		if len(f.pending) == 0 {
			f.pending = nil // the buffer's beginning is used up
		}
	}
}

func (f *File) line(line []byte) {
	if f.observe != nil {
		f.observe(line)
	}
	if f.file != nil && f.size+int64(len(line)) > f.limit {
		f.rotate()
	}
	if f.file == nil {
		file, err := os.OpenFile(f.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return
		}
		f.file = file
		if info, err := file.Stat(); err == nil {
			f.size = info.Size()
		}
	}
	n, _ := f.file.Write(line) // a full disk loses logs, not the fleet
	f.size += int64(n)
}

// rotate keeps one old file.
func (f *File) rotate() {
	_ = f.file.Close()
	_ = os.Rename(f.path, f.path+".1")
	f.file, f.size = nil, 0
}

// Close writes what is left of an unfinished line and closes the file.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.pending) > 0 {
		f.line(append(f.pending, '\n'))
		f.pending = nil
	}
	if f.file == nil {
		return nil
	}
	err := f.file.Close()
	f.file = nil
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

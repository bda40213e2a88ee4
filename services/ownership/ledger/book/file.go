package book

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/flotilla-dev/flotilla/internal/atomicfile"
)

// maxFile bounds what is read at start, above all that a book may have written.
const maxFile = 1 << 30

// A file is what a book is kept in.
type file struct {
	path  string
	f     *os.File
	size  int64
	first int64 // size of the first line, which may be a whole state
}

// openFile reads all changes of a file and opens it to add more.
func openFile(path string, replay func(change) error) (*file, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the book: %w", err)
	}
	opened := &file{path: path, f: f}
	if err := errors.Join(opened.read(replay), atomicfile.SyncDir(filepath.Dir(path))); err != nil {
		return nil, errors.Join(fmt.Errorf("read the book %s: %w", path, err), f.Close())
	}
	return opened, nil
}

// read replays the lines, and cuts off a last one that is not whole.
func (f *file) read(replay func(change) error) error {
	if info, err := f.f.Stat(); err != nil || info.Size() > maxFile {
		return fmt.Errorf("want a file of at most %d bytes: %w", int64(maxFile), err)
	}
	r := bufio.NewReaderSize(f.f, 64<<10)
	for number := 1; ; number++ {
		line, err := r.ReadBytes('\n')
		if err == io.EOF {
			break // what has no line feed was not written to its end, and never answered
		}
		if err != nil {
			return err
		}
		ch, err := parse(bytes.TrimSuffix(line, []byte("\n")))
		if _, more := r.Peek(1); err != nil && more == io.EOF {
			break // a torn write may have left garbage that ends like a line
		}
		if err == nil {
			err = replay(ch)
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
		if number == 1 {
			f.first = int64(len(line))
		}
		f.size += int64(len(line))
	}
	if err := f.f.Truncate(f.size); err != nil {
		return err
	}
	if _, err := f.f.Seek(f.size, io.SeekStart); err != nil {
		return err
	}
	return f.f.Sync()
}

// append adds a change; when it returns nil, the change is on disk.
func (f *file) append(ch change) error {
	line, err := format(ch)
	if err != nil {
		return err
	}
	if _, err := f.f.Write(line); err != nil {
		return err
	}
	f.size += int64(len(line))
	return f.f.Sync()
}

// rewrite replaces the file by one with a single change.
func (f *file) rewrite(ch change) error {
	line, err := format(ch)
	if err != nil {
		return err
	}
	next, err := os.OpenFile(f.path+".new", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err = next.Write(line); err == nil {
		err = next.Sync()
	}
	if err == nil {
		err = os.Rename(next.Name(), f.path)
	}
	if err == nil {
		err = atomicfile.SyncDir(filepath.Dir(f.path))
	}
	if err != nil {
		return errors.Join(err, next.Close())
	}
	_ = f.f.Close() // it has no name any more, and all of it is in the new one
	f.f, f.size, f.first = next, int64(len(line)), int64(len(line))
	return nil
}

func (f *file) close() error { return f.f.Close() }

// MakeDir makes a folder for books, and those above it that are missing, each of which is on disk afterwards: what is in a folder
// that a power failure takes away is lost, however well it was synced.
func MakeDir(dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	above := filepath.Dir(dir)
	if _, err := os.Stat(dir); err == nil || above == dir {
		return err
	}
	if err := MakeDir(above); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return atomicfile.SyncDir(above)
}

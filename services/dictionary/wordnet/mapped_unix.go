//go:build unix

package wordnet

import (
	"fmt"
	"math"
	"os"

	"golang.org/x/sys/unix"
)

// Open maps the file at path.
func Open(path string) (*Dictionary, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // the mapping outlives the descriptor
	return Map(f)
}

// Map maps an open file, which may be closed afterwards.
func Map(f *os.File) (*Dictionary, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() < int64(HeaderSize) || info.Size() > math.MaxInt32 {
		return nil, fmt.Errorf("%w: %d bytes", ErrCorrupt, info.Size())
	}
	data, err := unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map %s: %w", f.Name(), err)
	}
	d, err := New(data)
	if err != nil {
		return nil, joinUnmap(err, data)
	}
	// The check touched every page. Give them back: only what people look up
	// should stay resident. Then tell the kernel not to read ahead for that.
	_ = unix.Madvise(data, unix.MADV_DONTNEED) // advice: no harm in a kernel that declines
	_ = unix.Madvise(data, unix.MADV_RANDOM)
	d.release = func() error { return unix.Munmap(data) }
	return d, nil
}

func joinUnmap(err error, data []byte) error {
	if failed := unix.Munmap(data); failed != nil {
		return fmt.Errorf("%w (unmap: %v)", err, failed)
	}
	return err
}

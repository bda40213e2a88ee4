package download

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// inMemory makes a file that exists in memory only: for containers without a
// single writable directory.
func inMemory(name string) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("create a file in memory: %w", err)
	}
	return os.NewFile(uintptr(fd), "memory:"+name), nil
}

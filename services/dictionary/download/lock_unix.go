//go:build unix

package download

import (
	"os"

	"golang.org/x/sys/unix"
)

// locked takes the lock of a part, which ends with the descriptor. It fails when
// another process has it, or finished and removed the file in between.
func locked(f *os.File) bool {
	if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		return false
	}
	mine, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(f.Name())
	return err == nil && os.SameFile(mine, there)
}

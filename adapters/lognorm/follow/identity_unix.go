//go:build unix

package follow

import (
	"io/fs"
	"os"
	"syscall"
)

// openFile opens a file to read it. That it was a file when it was looked at
// does not say that it is one: a link is not followed, and a pipe not waited for.
func openFile(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
}

// identityOf is the device and the inode of a file.
func identityOf(info fs.FileInfo, _ string) Identity {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return Identity{Device: uint64(s.Dev), Inode: uint64(s.Ino)}
	}
	return Identity{}
}

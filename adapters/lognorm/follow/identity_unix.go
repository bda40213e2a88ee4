//go:build unix

package follow

import (
	"io/fs"
	"syscall"
)

// identityOf is the device and the inode of a file.
func identityOf(info fs.FileInfo, _ string) Identity {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return Identity{Device: uint64(s.Dev), Inode: uint64(s.Ino)}
	}
	return Identity{}
}

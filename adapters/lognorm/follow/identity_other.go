//go:build !unix

package follow

import (
	"hash/fnv"
	"io/fs"
	"os"
)

// openFile opens a file to read it.
func openFile(path string) (*os.File, error) { return os.Open(path) }

// identityOf is the name of a file: rotation by renaming is then seen as a
// truncation.
func identityOf(_ fs.FileInfo, path string) Identity {
	h := fnv.New64a()
	h.Write([]byte(path))
	return Identity{Inode: h.Sum64()}
}

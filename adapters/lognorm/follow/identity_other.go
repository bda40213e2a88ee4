//go:build !unix

package follow

import (
	"hash/fnv"
	"io/fs"
)

// identityOf is the name of a file: rotation by renaming is then seen as a
// truncation.
func identityOf(_ fs.FileInfo, path string) Identity {
	h := fnv.New64a()
	h.Write([]byte(path))
	return Identity{Inode: h.Sum64()}
}

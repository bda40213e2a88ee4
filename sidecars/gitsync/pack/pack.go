// Package pack clears up in a directory of packs.
//
// go-git writes a pack beside its place, then its index in its place, then renames
// the pack. Who is killed between the two leaves an index that may be cut off, and
// the next time that the same pack comes go-git would take it for a good one.
package pack

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Sweep removes what a write that did not end has left in a git directory. Nobody
// may be writing to it.
func Sweep(gitDir string) error {
	dir := filepath.Join(gitDir, "objects", "pack")
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	packs := map[string]bool{}
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".pack"); ok {
			packs[name] = true
		}
	}
	var errs []error
	for _, e := range entries {
		ext := filepath.Ext(e.Name())
		orphan := (ext == ".idx" || ext == ".rev") && !packs[strings.TrimSuffix(e.Name(), ext)]
		if orphan || strings.HasPrefix(e.Name(), "tmp_") {
			errs = append(errs, os.Remove(filepath.Join(dir, e.Name())))
		}
	}
	return errors.Join(errs...)
}

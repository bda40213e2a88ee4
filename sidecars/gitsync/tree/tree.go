package tree

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/storer"

	"github.com/flotilla-dev/flotilla/internal/config"
	"github.com/flotilla-dev/flotilla/sidecars/gitsync/object"
)

// Options bound what is written. Zero means nothing may be.
type Options struct {
	Paths    []string // what is written of the tree; all when empty
	MaxFiles int      // files, folders and links
	MaxBytes int64    // of all files together
}

// Size is what was written.
type Size struct {
	Files int   `json:"files"` // and folders and links
	Bytes int64 `json:"bytes"`
}

// maxTarget bounds the text of a link.
const maxTarget = 4096

// Write writes the tree of a commit into the directory, which is empty. After an
// error the directory holds part of it. A *Refusal is an error of the tree.
func Write(ctx context.Context, objects storer.EncodedObjectStorer, commit plumbing.Hash, dir string, o Options) (Size, error) {
	top, err := object.ReadCommit(objects, commit)
	if err != nil {
		return Size{}, fmt.Errorf("read commit %s: %w", commit, err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Size{}, err
	}
	defer root.Close()
	w := &writer{ctx: ctx, objects: objects, root: root, options: o}
	if err := w.folder("", top.Tree, 1); err != nil {
		return Size{}, err
	}
	if err := w.makeLinks(); err != nil {
		return Size{}, err
	}
	for _, chosen := range o.Paths {
		if _, err := root.Lstat(chosen); err != nil {
			return Size{}, refuse("the tree has no %s, which GITSYNC_PATHS names", chosen)
		}
	}
	return w.size, nil
}

// writer writes one tree.
type writer struct {
	ctx     context.Context
	objects storer.EncodedObjectStorer
	root    *os.Root
	options Options
	size    Size
	links   []link
}

type link struct{ path, target string }

func (w *writer) folder(dir string, hash plumbing.Hash, depth int) error {
	if depth > maxDepth {
		return refuse("the tree has more than %d folders inside each other", maxDepth)
	}
	entries, err := object.ReadTree(w.objects, hash)
	if errors.Is(err, object.ErrMalformed) {
		return refuse("the listing of %s is malformed or larger than %s", shown(dir), config.Size(object.MaxSize))
	}
	if err != nil {
		return fmt.Errorf("read the listing of %q: %w", dir, err)
	}
	for _, e := range entries {
		if err := w.entry(path.Join(dir, e.Name), e, depth); err != nil {
			return err
		}
	}
	return nil
}

// entry writes one entry. p is only meaningful once its name was checked.
func (w *writer) entry(p string, e object.Entry, depth int) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	if err := checkName(e.Name); err != nil {
		return refuse("the tree has %v: %.80q", err, p)
	}
	if len(p) > maxPath {
		return refuse("the tree has a path of more than %d bytes", maxPath)
	}
	if !selection(w.options.Paths).takes(p, e.Mode == filemode.Dir) {
		return nil
	}
	if w.size.Files++; w.size.Files > w.options.MaxFiles {
		return refuse("the tree has more files and folders than GITSYNC_MAX_FILES (%d)", w.options.MaxFiles)
	}
	switch e.Mode {
	case filemode.Dir:
		if err := w.root.Mkdir(p, 0o755); err != nil {
			return twice(p, err)
		}
		return w.folder(p, e.Hash, depth+1)
	case filemode.Regular, filemode.Deprecated:
		return w.file(p, e.Hash, 0o644)
	case filemode.Executable:
		return w.file(p, e.Hash, 0o755)
	case filemode.Symlink:
		return w.link(p, e.Hash)
	case filemode.Submodule:
		return refuse("%s is a submodule, which is not fetched: a tree without it would not be whole", shown(p))
	}
	return refuse("%s is of a kind (%s) that git does not have", shown(p), e.Mode)
}

func (w *writer) file(p string, hash plumbing.Hash, mode fs.FileMode) error {
	blob, err := w.objects.EncodedObject(plumbing.BlobObject, hash)
	if err != nil {
		return fmt.Errorf("read %q: %w", p, err)
	}
	size := blob.Size()
	if size < 0 || size > w.options.MaxBytes-w.size.Bytes {
		return refuse("the files of the tree have more bytes than GITSYNC_MAX_BYTES (%s)", config.Size(w.options.MaxBytes))
	}
	w.size.Bytes += size
	content, err := blob.Reader()
	if err != nil {
		return fmt.Errorf("read %q: %w", p, err)
	}
	defer content.Close()
	file, err := w.root.OpenFile(p, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return twice(p, err)
	}
	n, err := io.Copy(file, io.LimitReader(content, size))
	if err == nil && n != size {
		err = io.ErrUnexpectedEOF
	}
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("write %q: %w", p, err)
	}
	return nil
}

func (w *writer) link(p string, hash plumbing.Hash) error {
	if size, err := w.objects.EncodedObjectSize(hash); err == nil && size > maxTarget {
		return refuse("the link %s has a target of more than %d bytes", shown(p), maxTarget)
	}
	target, err := object.Read(w.objects, plumbing.BlobObject, hash)
	if err != nil {
		return fmt.Errorf("read link %q: %w", p, err)
	}
	if err := checkTarget(p, string(target)); err != nil {
		return refuse("the link %s %v", shown(p), err)
	}
	w.links = append(w.links, link{p, string(target)})
	return nil
}

// makeLinks makes the links, and then follows each: one that passes another can
// lead out of the tree though its text does not. A link to nothing is let be.
func (w *writer) makeLinks() error {
	for _, l := range w.links {
		if err := w.root.Symlink(l.target, l.path); err != nil {
			return twice(l.path, err)
		}
	}
	for _, l := range w.links {
		if _, err := w.root.Stat(l.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return refuse("the link %s leads out of the tree or in a circle", shown(l.path))
		}
	}
	return nil
}

// twice explains that something is there already: the directory was empty, so that
// the tree itself names it a second time.
func twice(p string, err error) error {
	if errors.Is(err, fs.ErrExist) {
		return refuse("the tree has %s twice", shown(p))
	}
	return fmt.Errorf("write %q: %w", p, err)
}

// shown is a path that was checked, for people; they do not read long ones.
func shown(p string) string {
	if p == "" {
		return "the top folder"
	}
	if len(p) > 120 {
		return p[:120] + "…"
	}
	return p
}

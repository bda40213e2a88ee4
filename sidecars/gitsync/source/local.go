package source

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/storer"
	"github.com/go-git/go-git/v5/plumbing/transport"
	"github.com/go-git/go-git/v5/storage/filesystem"
)

// Local is a repository on this machine.
type Local struct{ Path string }

// Look opens the repository anew, so that it may be replaced.
func (l Local) Look(_ context.Context, ref string) (Sighting, error) {
	dir := l.Path
	if _, err := os.Stat(filepath.Join(dir, ".git", "HEAD")); err == nil {
		dir = filepath.Join(dir, ".git")
	}
	if _, err := os.Stat(filepath.Join(dir, "HEAD")); err != nil {
		return nil, transport.ErrRepositoryNotFound
	}
	s := open(dir)
	if IsHash(ref) {
		return seen{s, plumbing.NewHash(ref)}, nil
	}
	for _, name := range names(ref) {
		found, err := storer.ResolveReference(s, plumbing.ReferenceName(name))
		switch {
		case err == nil:
			return seen{s, found.Hash()}, nil
		case !errors.Is(err, plumbing.ErrReferenceNotFound):
			return nil, err
		}
	}
	if empty(s) {
		return nil, transport.ErrEmptyRemoteRepository
	}
	return nil, ErrNoReference
}

func empty(s storer.ReferenceStorer) bool {
	all, err := s.IterReferences()
	if err != nil {
		return false
	}
	defer all.Close()
	for {
		r, err := all.Next()
		if err != nil {
			return true
		}
		if r.Type() == plumbing.HashReference {
			return false
		}
	}
}

type seen struct {
	objects *filesystem.Storage
	hash    plumbing.Hash
}

func (s seen) Hash() plumbing.Hash { return s.hash }

func (s seen) Get(context.Context) (storer.EncodedObjectStorer, plumbing.Hash, error) {
	commit, err := peel(s.objects, s.hash)
	return s.objects, commit, err
}

// largeObject is from where on a file is streamed from its pack instead of being
// read into memory, where the pack allows it; cached bounds what is kept of others.
const (
	largeObject = 1 << 20
	cached      = 8 << 20
)

// open opens the objects and references of a git directory.
func open(dir string) *filesystem.Storage {
	return filesystem.NewStorageWithOptions(osfs.New(dir, osfs.WithBoundOS()), cache.NewObjectLRU(cached), filesystem.Options{LargeObjectThreshold: largeObject})
}

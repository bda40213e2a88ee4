package source

import (
	"context"
	"errors"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/storer"

	"github.com/flotilla-dev/flotilla/sidecars/gitsync/object"
)

// ErrNoReference is the error of a reference that the repository does not have.
var ErrNoReference = errors.New("no such reference")

// A Source is a repository.
type Source interface {
	// Look finds what a reference means now.
	Look(ctx context.Context, ref string) (Sighting, error)
}

// A Sighting is what a reference meant when it was looked at. Hash is of the
// commit, or of a tag that leads to it.
type Sighting interface {
	Hash() plumbing.Hash
	// Get brings the commit and all of its tree within reach.
	Get(ctx context.Context) (storer.EncodedObjectStorer, plumbing.Hash, error)
}

// IsHash tells whether a reference is a commit itself.
func IsHash(ref string) bool { return plumbing.IsHash(ref) && ref == strings.ToLower(ref) }

// names lists what a short name may mean, the first that exists counts, as in
// gitrevisions(7), but that a branch comes before a tag: a branch is what is
// released from.
func names(ref string) []string {
	if ref == "HEAD" || strings.HasPrefix(ref, "refs/") {
		return []string{ref}
	}
	return []string{"refs/heads/" + ref, "refs/tags/" + ref}
}

// peel follows tags to the commit.
func peel(objects storer.EncodedObjectStorer, hash plumbing.Hash) (plumbing.Hash, error) {
	hash, kind, err := object.Peel(objects, hash)
	switch {
	case errors.Is(err, plumbing.ErrObjectNotFound):
		return hash, ErrNoReference
	case err == nil && kind != plumbing.CommitObject:
		return hash, ErrNoReference
	}
	return hash, err
}

// Package object reads what git keeps in commits, tags and trees, as far as a tree
// has to be found and written: strictly, for they come from whoever may push.
//
// go-git's own package for this also verifies signatures of commits, and brings
// OpenPGP into the image for it.
package object

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/storer"
)

// ErrMalformed is the error of an object that is not what it should be.
var ErrMalformed = errors.New("malformed object")

// MaxSize bounds an object that is read into memory: the listing of a folder is the
// largest.
const MaxSize = 8 << 20

// maxParents bounds what a commit joins.
const maxParents = 1024

// Commit is what a commit points to.
type Commit struct {
	Tree    plumbing.Hash
	Parents []plumbing.Hash
}

// Entry is a line of a tree.
type Entry struct {
	Name string // as it was found: see package tree for the names that are taken
	Mode filemode.FileMode
	Hash plumbing.Hash
}

// ReadCommit reads a commit.
func ReadCommit(s storer.EncodedObjectStorer, hash plumbing.Hash) (Commit, error) {
	text, err := Read(s, plumbing.CommitObject, hash)
	if err != nil {
		return Commit{}, err
	}
	return ParseCommit(text)
}

// ReadTree reads a tree.
func ReadTree(s storer.EncodedObjectStorer, hash plumbing.Hash) ([]Entry, error) {
	text, err := Read(s, plumbing.TreeObject, hash)
	if err != nil {
		return nil, err
	}
	return ParseTree(text)
}

// Read returns the content of an object of a kind.
func Read(s storer.EncodedObjectStorer, kind plumbing.ObjectType, hash plumbing.Hash) ([]byte, error) {
	if size, err := s.EncodedObjectSize(hash); err == nil && size > MaxSize {
		return nil, fmt.Errorf("%w: it has more than %d bytes", ErrMalformed, MaxSize)
	}
	o, err := s.EncodedObject(kind, hash)
	if err != nil {
		return nil, err
	}
	r, err := o.Reader()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	if err == nil && len(text) > MaxSize {
		err = fmt.Errorf("%w: it has more than %d bytes", ErrMalformed, MaxSize)
	}
	return text, err
}

// ParseCommit reads the head of a commit: a tree, then parents.
func ParseCommit(text []byte) (Commit, error) {
	var c Commit
	tree, rest, err := line(text, "tree ")
	if err != nil {
		return c, err
	}
	c.Tree = tree
	for bytes.HasPrefix(rest, []byte("parent ")) {
		var parent plumbing.Hash
		if parent, rest, err = line(rest, "parent "); err != nil {
			return c, err
		}
		if c.Parents = append(c.Parents, parent); len(c.Parents) > maxParents {
			return c, fmt.Errorf("%w: a commit with more than %d parents", ErrMalformed, maxParents)
		}
	}
	return c, nil
}

// ParseTag returns what a tag leads to.
func ParseTag(text []byte) (plumbing.Hash, error) {
	target, _, err := line(text, "object ")
	return target, err
}

// line reads a word and a hash.
func line(text []byte, word string) (hash plumbing.Hash, rest []byte, err error) {
	first, rest, ended := bytes.Cut(text, []byte("\n"))
	digits, found := bytes.CutPrefix(first, []byte(word))
	if !ended || !found || len(digits) != 2*len(hash) {
		return hash, nil, fmt.Errorf("%w: want a line %q with a hash", ErrMalformed, word)
	}
	if _, err := hex.Decode(hash[:], digits); err != nil {
		return hash, nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return hash, rest, nil
}

// ParseTree reads the entries of a tree: mode, space, name, NUL, twenty bytes.
func ParseTree(text []byte) ([]Entry, error) {
	var entries []Entry
	for len(text) > 0 {
		digits, rest, found := bytes.Cut(text, []byte(" "))
		if !found || len(digits) > 6 {
			return nil, fmt.Errorf("%w: an entry without a mode", ErrMalformed)
		}
		mode, err := filemode.New(string(digits))
		if err != nil {
			return nil, fmt.Errorf("%w: the mode %q", ErrMalformed, digits)
		}
		name, rest, found := bytes.Cut(rest, []byte{0})
		e := Entry{Name: string(name), Mode: mode}
		if !found || len(rest) < len(e.Hash) {
			return nil, fmt.Errorf("%w: an entry that breaks off", ErrMalformed)
		}
		copy(e.Hash[:], rest)
		entries, text = append(entries, e), rest[len(e.Hash):]
	}
	return entries, nil
}

// Peel follows tags to what they lead to.
func Peel(s storer.EncodedObjectStorer, hash plumbing.Hash) (plumbing.Hash, plumbing.ObjectType, error) {
	for range 8 {
		o, err := s.EncodedObject(plumbing.AnyObject, hash)
		if err != nil {
			return hash, plumbing.InvalidObject, err
		}
		if o.Type() != plumbing.TagObject {
			return hash, o.Type(), nil
		}
		text, err := Read(s, plumbing.TagObject, hash)
		if err != nil {
			return hash, plumbing.InvalidObject, err
		}
		if hash, err = ParseTag(text); err != nil {
			return hash, plumbing.InvalidObject, err
		}
	}
	return hash, plumbing.InvalidObject, fmt.Errorf("%w: a tag of a tag of a tag, and so on", ErrMalformed)
}

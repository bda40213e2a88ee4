package gitserver

import (
	"embed"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/storage/filesystem"
)

//go:embed page
var page embed.FS

// ensure makes the repository, with a first commit of a small page, where there is
// none yet. The reference comes last: a process that is killed begins anew.
func ensure(dir, branch string, at time.Time) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	repository := open(dir)
	if _, err := repository.Reference(plumbing.HEAD); err == nil {
		return nil
	}
	if err := repository.Init(); err != nil {
		return err
	}
	cfg, err := repository.Config()
	if err != nil {
		return err
	}
	cfg.Core.IsBare = true
	if err := repository.SetConfig(cfg); err != nil {
		return err
	}
	head := plumbing.NewBranchReferenceName(branch)
	commit, err := firstCommit(repository, at)
	if err != nil {
		return fmt.Errorf("first commit: %w", err)
	}
	if err := repository.SetReference(plumbing.NewHashReference(head, commit)); err != nil {
		return err
	}
	return repository.SetReference(plumbing.NewSymbolicReference(plumbing.HEAD, head))
}

func firstCommit(repository *filesystem.Storage, at time.Time) (plumbing.Hash, error) {
	files, err := fs.ReadDir(page, "page")
	if err != nil {
		return plumbing.ZeroHash, err
	}
	slices.SortFunc(files, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	var listing strings.Builder
	for _, f := range files {
		text, err := page.ReadFile("page/" + f.Name())
		if err != nil {
			return plumbing.ZeroHash, err
		}
		blob, err := put(repository, plumbing.BlobObject, string(text))
		if err != nil {
			return plumbing.ZeroHash, err
		}
		listing.WriteString("100644 " + f.Name() + "\x00" + string(blob[:]))
	}
	tree, err := put(repository, plumbing.TreeObject, listing.String())
	if err != nil {
		return plumbing.ZeroHash, err
	}
	who := fmt.Sprintf("gitserver <gitserver@localhost> %d +0000", at.Unix())
	return put(repository, plumbing.CommitObject, fmt.Sprintf("tree %s\nauthor %s\ncommitter %s\n\nThe first page\n", tree, who, who))
}

func put(repository *filesystem.Storage, kind plumbing.ObjectType, text string) (plumbing.Hash, error) {
	o := repository.NewEncodedObject()
	o.SetType(kind)
	w, err := o.Writer()
	if err != nil {
		return plumbing.ZeroHash, err
	}
	if _, err := w.Write([]byte(text)); err != nil {
		return plumbing.ZeroHash, err
	}
	if err := w.Close(); err != nil {
		return plumbing.ZeroHash, err
	}
	return repository.SetEncodedObject(o)
}

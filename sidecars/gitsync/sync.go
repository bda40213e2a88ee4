package gitsync

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/flotilla-dev/flotilla/sidecars/gitsync/place"
	"github.com/flotilla-dev/flotilla/sidecars/gitsync/source"
	"github.com/flotilla-dev/flotilla/sidecars/gitsync/tree"
)

// syncer makes attempts. It belongs to one goroutine.
type syncer struct {
	cfg    Config
	log    *slog.Logger
	source source.Source
	forget func() error // starts what is kept of the source over
	place  *place.Place
	status *board

	looked  plumbing.Hash // what the reference meant when the current revision was made
	refused plumbing.Hash // a revision that was refused, and why: it stays refused
	because *failure
}

// attempt makes the directory equal to what the reference means now.
func (s *syncer) attempt(ctx context.Context) (outcome string, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	if source.IsHash(s.cfg.Ref) && s.isCurrent(plumbing.NewHash(s.cfg.Ref)) {
		return outcomeUnchanged, nil // it can mean nothing else
	}
	seen, err := s.source.Look(ctx, s.cfg.Ref)
	if err != nil {
		return "", err
	}
	if hash := seen.Hash(); hash == s.looked || s.isCurrent(hash) {
		s.looked = hash
		return outcomeUnchanged, nil
	}
	if seen.Hash() == s.refused {
		return "", s.because
	}
	err = s.take(ctx, seen)
	if err == nil {
		s.looked, s.refused, s.because = seen.Hash(), plumbing.ZeroHash, nil
		return outcomeChanged, nil
	}
	if f := explain(err, s.cfg); f.kind == refused {
		s.refused, s.because = seen.Hash(), f
		s.status.refuse(seen.Hash().String())
	}
	return "", err
}

// take fetches a revision, writes it, and swaps the link.
func (s *syncer) take(ctx context.Context, seen source.Sighting) error {
	objects, commit, err := seen.Get(ctx)
	if err != nil {
		return err
	}
	name := s.name(commit)
	var size tree.Size
	err = s.place.Add(name, func(dir string) (err error) {
		size, err = tree.Write(ctx, objects, commit, dir, tree.Options{Paths: s.cfg.Paths, MaxFiles: s.cfg.MaxFiles, MaxBytes: int64(s.cfg.MaxBytes)})
		return err
	})
	var refusal *tree.Refusal
	if err != nil && ctx.Err() == nil && !errors.As(err, &refusal) {
		// Perhaps something is missing there that the server believes to be there.
		return errors.Join(err, s.forget())
	}
	if err != nil {
		return err
	}
	previous := s.place.Current()
	if err := s.place.Swap(name); err != nil {
		return err
	}
	s.log.Info("revision swapped in", "revision", commit.String(), "previous", previous, "files", size.Files, "bytes", size.Bytes)
	s.status.swapped(commit.String(), size)
	debug.FreeOSMemory() // a checkout takes a lot for a moment, and then nothing for hours
	return nil
}

// name is that of a revision's directory. What is selected of the tree belongs to it:
// another selection is another directory.
func (s *syncer) name(commit plumbing.Hash) string {
	if len(s.cfg.Paths) == 0 {
		return commit.String()
	}
	sum := sha256.Sum256([]byte(strings.Join(s.cfg.Paths, ",")))
	return commit.String() + "-" + hex.EncodeToString(sum[:4])
}

func (s *syncer) isCurrent(hash plumbing.Hash) bool { return s.place.Current() == s.name(hash) }

// resume tells of the revision that an earlier process left, if there is one.
func (s *syncer) resume() {
	if current, _, _ := strings.Cut(s.place.Current(), "-"); current != "" {
		s.status.swapped(current, tree.Size{})
	}
}

// once makes one attempt and tells of it.
func (s *syncer) once(ctx context.Context) (changed bool, failed *failure) {
	began := time.Now()
	outcome, err := s.attempt(ctx)
	if err != nil {
		failed = explain(err, s.cfg)
		outcome = failed.kind
	}
	if ctx.Err() != nil {
		return false, failed // the process ends: nobody failed
	}
	if s.status.attempted(began, outcome, failed) {
		s.log.Warn("not synchronised", "kind", failed.kind, "reason", failed.reason, "error", failed.err)
	}
	if err := s.place.Prune(); err != nil {
		s.log.Warn("an old revision was not removed", "error", err)
	}
	s.status.kept(s.place.Kept())
	return outcome == outcomeChanged, failed
}

package gitserver

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/storage/filesystem"

	"github.com/flotilla-dev/flotilla/internal/problem"
	"github.com/flotilla-dev/flotilla/sidecars/gitsync/object"
	"github.com/flotilla-dev/flotilla/sidecars/gitsync/pack"
)

// A push may take as long as this, and wait half of it for the one before.
const pushTimeout = 25 * time.Second

// maxCommands bounds the references of one push.
const maxCommands = 1000

var errTooLarge = problem.New(http.StatusRequestEntityTooLarge, "body-too-large", "the push is larger than GITSERVER_MAX_PUSH")

// receive takes a push: a pack, then references, each compared and set.
func (s *server) receive(w http.ResponseWriter, r *http.Request) {
	if !s.mayPush(r) {
		w.Header().Set("WWW-Authenticate", `Basic realm="push"`)
		errToken.Write(w)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), pushTimeout)
	defer cancel()
	select {
	case s.pushes <- struct{}{}:
		defer func() { <-s.pushes }()
	case <-time.After(pushTimeout / 2):
		errBusy.Write(w)
		return
	case <-ctx.Done():
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, s.maxPush)
	report, p := s.push(ctx, r)
	if p != nil {
		p.Write(w)
		return
	}
	w.Header().Set("Content-Type", "application/x-git-receive-pack-result")
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = w.Write(report) // a client that is gone will ask what became of it
}

// push returns the report that git shows its user, or why there is none.
func (s *server) push(ctx context.Context, r *http.Request) ([]byte, *problem.Problem) {
	body, err := unzipped(r)
	if err != nil {
		return nil, errRequest
	}
	body = io.LimitReader(body, s.maxPush+1) // also when it was compressed; one more tells that it is too large
	first := make([]byte, 4)
	if _, err := io.ReadFull(body, first); err != nil {
		return nil, errRequest
	}
	if string(first) == "0000" {
		return nil, nil // git asks whether it may push, before it sends much
	}
	req := packp.NewReferenceUpdateRequest()
	if err := req.Decode(io.MultiReader(bytes.NewReader(first), body)); err != nil || len(req.Commands) > maxCommands {
		return nil, errRequest
	}
	repository := open(s.dir)
	report := packp.NewReportStatus()
	report.UnpackStatus = "ok"
	if err := unpack(s.dir, repository, req); err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return nil, errTooLarge
		}
		s.log.Warn("push not unpacked", "error", err)
		report.UnpackStatus = "the pack is broken"
	}
	s.update(ctx, repository, req.Commands, report)
	var text bytes.Buffer
	if err := report.Encode(&text); err != nil {
		s.log.Error("report of a push", "error", err)
		return nil, problem.New(http.StatusInternalServerError, "internal", "something went wrong here; it was logged")
	}
	return text.Bytes(), nil
}

// unpack writes the pack, which a push that only deletes does not have. Pushes come
// one at a time, so that nobody else is writing.
func unpack(dir string, repository *filesystem.Storage, req *packp.ReferenceUpdateRequest) error {
	if err := pack.Sweep(dir); err != nil {
		return err
	}
	for _, c := range req.Commands {
		if c.Action() != packp.Delete {
			err := packfile.UpdateObjectStorage(repository, req.Packfile)
			if errors.Is(err, packfile.ErrEmptyPackfile) {
				return nil // all its objects were here
			}
			return err
		}
	}
	return nil
}

// update sets the references and reports on each.
func (s *server) update(ctx context.Context, repository *filesystem.Storage, commands []*packp.Command, report *packp.ReportStatus) {
	var done []*packp.Command
	for _, c := range commands {
		status := "ok"
		if report.UnpackStatus != "ok" {
			status = "unpacker error"
		} else if why := s.set(ctx, repository, c); why != "" {
			status = why
		} else {
			done = append(done, c)
		}
		report.CommandStatuses = append(report.CommandStatuses, &packp.CommandStatus{ReferenceName: c.Name, Status: status})
	}
	if len(done) > 0 {
		s.pushed(done)
	}
}

// set updates one reference, or says why not. Pushes come one at a time, so that
// nothing changes between the comparison and the update.
func (s *server) set(ctx context.Context, repository *filesystem.Storage, c *packp.Command) string {
	name := c.Name.String()
	if !strings.HasPrefix(name, "refs/heads/") && !strings.HasPrefix(name, "refs/tags/") || c.Name.Validate() != nil {
		return "only branches and tags are taken"
	}
	now, err := repository.Reference(c.Name)
	is := plumbing.ZeroHash
	if err == nil {
		is = now.Hash()
	}
	if is != c.Old {
		return "somebody else was faster: fetch first"
	}
	if c.Action() == packp.Delete {
		err = repository.RemoveReference(c.Name)
	} else if why := s.whole(ctx, repository, c); why != "" {
		return why
	} else {
		err = repository.SetReference(plumbing.NewHashReference(c.Name, c.New))
	}
	if err != nil {
		s.log.Error("reference not set", "reference", name, "error", err)
		return "the reference cannot be set"
	}
	s.log.Info("pushed", "reference", name, "from", c.Old.String(), "to", c.New.String())
	return ""
}

// whole looks whether everything that a new value leads to is here.
func (s *server) whole(ctx context.Context, repository *filesystem.Storage, c *packp.Command) string {
	_, kind, err := object.Peel(repository, c.New)
	if err == nil && kind != plumbing.CommitObject && strings.HasPrefix(c.Name.String(), "refs/heads/") {
		return "a branch leads to a commit"
	}
	var haves []plumbing.Hash
	if c.Old != plumbing.ZeroHash {
		haves = []plumbing.Hash{c.Old}
	}
	p := &planner{ctx: ctx, objects: repository, seen: map[plumbing.Hash]bool{}}
	theirs, err2 := p.has(demand{haves: haves})
	err3 := p.wants(demand{wants: []plumbing.Hash{c.New}}, theirs)
	for _, h := range p.plan.objects {
		err = errors.Join(err, repository.HasEncodedObject(h))
	}
	if err := errors.Join(err, err2, err3); err != nil {
		s.log.Warn("push refused", "reference", c.Name.String(), "error", err)
		return "objects are missing"
	}
	return ""
}

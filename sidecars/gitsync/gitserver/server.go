package gitserver

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/storer"
	"github.com/go-git/go-git/v5/storage/filesystem"
	"github.com/labstack/echo/v4"

	"github.com/flotilla-dev/flotilla/internal/problem"
)

// server serves one repository. Each request opens it anew: the disk is the truth.
type server struct {
	dir     string
	token   []byte // that pushing needs; nil: nobody pushes
	maxPush int64
	log     *slog.Logger
	pushed  func(commands []*packp.Command)
	fetches chan struct{} // a place for each fetch
	pushes  chan struct{} // one place
}

// open opens the repository. What is large is streamed, and little is cached.
func open(dir string) *filesystem.Storage {
	return filesystem.NewStorageWithOptions(osfs.New(dir, osfs.WithBoundOS()), cache.NewObjectLRU(8<<20), filesystem.Options{LargeObjectThreshold: 1 << 20})
}

// The two services.
const (
	uploadPack  = "git-upload-pack"
	receivePack = "git-receive-pack"
)

var (
	errService = problem.New(http.StatusForbidden, "git-service", "ask for git-upload-pack or git-receive-pack: use a git client")
	errToken   = problem.New(http.StatusUnauthorized, "git-token", "a push needs the token as its password; any user name will do")
	errBusy    = problem.New(http.StatusServiceUnavailable, "overloaded", "as many requests as this server takes are under way").Retry(time.Second)
	errRequest = problem.New(http.StatusBadRequest, "git-request", "this is not what a git client says in protocol version 0")
)

// references answers with what there is, as the head of both services.
func (s *server) references(c echo.Context) error {
	service := c.QueryParam("service")
	switch {
	case service != uploadPack && service != receivePack:
		return errService
	case service == receivePack && !s.mayPush(c.Request()):
		c.Response().Header().Set("WWW-Authenticate", `Basic realm="push"`)
		return errToken
	}
	offer, err := s.offer(service)
	if err != nil {
		return err
	}
	var body bytes.Buffer
	enc := pktline.NewEncoder(&body)
	if err := enc.EncodeString("# service=" + service + "\n"); err != nil {
		return err
	}
	if err := enc.Flush(); err != nil {
		return err
	}
	if err := offer.Encode(&body); err != nil {
		return fmt.Errorf("write references: %w", err)
	}
	c.Response().Header().Set("Cache-Control", "no-cache, max-age=0, must-revalidate")
	return c.Blob(http.StatusOK, "application/x-"+service+"-advertisement", body.Bytes())
}

// mayPush compares digests, which have one length, so that the time tells nothing.
func (s *server) mayPush(r *http.Request) bool {
	_, password, ok := r.BasicAuth()
	got, want := sha256.Sum256([]byte(password)), sha256.Sum256(s.token)
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1 && ok && len(s.token) > 0
}

func (s *server) offer(service string) (*packp.AdvRefs, error) {
	repository := open(s.dir)
	offer := packp.NewAdvRefs()
	for _, name := range capabilities(service) {
		if err := offer.Capabilities.Set(name); err != nil {
			return nil, err
		}
	}
	all, err := repository.IterReferences()
	if err != nil {
		return nil, fmt.Errorf("read references: %w", err)
	}
	err = all.ForEach(func(r *plumbing.Reference) error {
		if r.Type() == plumbing.HashReference && r.Name() != plumbing.HEAD {
			offer.References[r.Name().String()] = r.Hash()
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read references: %w", err)
	}
	if service == receivePack {
		return offer, nil
	}
	return offer, addHead(repository, offer)
}

func capabilities(service string) []capability.Capability {
	if service == receivePack {
		// Without no-thin a client sends deltas against objects that are here.
		return []capability.Capability{capability.ReportStatus, capability.DeleteRefs, capability.OFSDelta, "no-thin"}
	}
	return []capability.Capability{capability.OFSDelta, capability.Shallow, capability.AllowReachableSHA1InWant}
}

func addHead(repository storer.ReferenceStorer, offer *packp.AdvRefs) error {
	head, err := repository.Reference(plumbing.HEAD)
	if err != nil || head.Type() != plumbing.SymbolicReference {
		return nil // a repository without a default branch is one, too
	}
	target, err := storer.ResolveReference(repository, head.Target())
	if err != nil {
		return nil // the default branch is not pushed yet
	}
	hash := target.Hash()
	offer.Head = &hash
	return offer.AddReference(head)
}

package source

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
	"github.com/go-git/go-git/v5/plumbing/transport"
	"github.com/go-git/go-git/v5/storage/filesystem"

	"github.com/flotilla-dev/flotilla/internal/httpclient"
	"github.com/flotilla-dev/flotilla/sidecars/gitsync/pack"
)

// Store is a directory of fetched objects.
type Store struct {
	Dir      string
	MaxBytes int64 // of its packs, after which it is started over
}

// OpenStore takes a directory below parent for the repository with this address.
// Those for other addresses go.
func OpenStore(parent, address string, maxBytes int64) (*Store, error) {
	sum := sha256.Sum256([]byte(address))
	name := hex.EncodeToString(sum[:8])
	entries, err := os.ReadDir(parent)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		if e.Name() != name {
			if err := os.RemoveAll(filepath.Join(parent, e.Name())); err != nil {
				return nil, err
			}
		}
	}
	return &Store{Dir: filepath.Join(parent, name), MaxBytes: maxBytes}, nil
}

// Forget starts the store over.
func (s *Store) Forget() error { return os.RemoveAll(s.Dir) }

// maxPacks is how many fetches a store takes: each leaves a pack, and every look
// for an object asks all of them.
const maxPacks = 50

// fetched is the reference to what was fetched last, which is there with all that
// belongs to it.
const fetched = plumbing.ReferenceName("refs/gitsync/fetched")

// fetch asks the server for what o wants. A store that the answer cannot be joined
// to is started over, once.
func (s *Store) fetch(ctx context.Context, o *offered) (*filesystem.Storage, error) {
	if s.worn() {
		if err := s.Forget(); err != nil {
			return nil, err
		}
	}
	objects, err := s.attempt(ctx, o)
	if err == nil || ctx.Err() != nil || !s.suspect(err) {
		return objects, err
	}
	if err := s.Forget(); err != nil {
		return nil, err
	}
	return s.attempt(ctx, o)
}

// suspect tells whether the store may be to blame. It is not when it is new, nor
// for what the server or the network says.
func (s *Store) suspect(err error) bool {
	var network *plumbing.UnexpectedError
	if errors.As(err, &network) || errors.Is(err, httpclient.ErrBodyTooLarge) ||
		errors.Is(err, transport.ErrAuthenticationRequired) || errors.Is(err, transport.ErrRepositoryNotFound) {
		return false
	}
	_, err = open(s.Dir).Reference(fetched)
	return err == nil
}

func (s *Store) attempt(ctx context.Context, o *offered) (*filesystem.Storage, error) {
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return nil, err
	}
	if err := pack.Sweep(s.Dir); err != nil {
		return nil, err
	}
	objects := open(s.Dir)
	if err := objects.Init(); err != nil {
		return nil, fmt.Errorf("make store: %w", err)
	}
	req, err := request(objects, o)
	if err != nil {
		return nil, err
	}
	if !req.IsEmpty() {
		if err := receive(ctx, objects, o.session, req); err != nil {
			return nil, fmt.Errorf("fetch: %w", err)
		}
	}
	// The commit and its folders are there? Better to know now.
	commit, err := peel(objects, o.hash)
	if err != nil {
		return objects, nil // Get says so
	}
	return objects, objects.SetReference(plumbing.NewHashReference(fetched, commit))
}

// request says what is wanted and what is there.
func request(objects *filesystem.Storage, o *offered) (*packp.UploadPackRequest, error) {
	req := packp.NewUploadPackRequestFromCapabilities(o.offer.Capabilities)
	req.Wants = o.wants
	if o.depth > 0 && o.offer.Capabilities.Supports(capability.Shallow) {
		req.Depth = packp.DepthCommits(o.depth)
		if err := req.Capabilities.Set(capability.Shallow); err != nil {
			return nil, err
		}
	}
	shallow, err := objects.Shallow()
	if err != nil {
		return nil, fmt.Errorf("read store: %w", err)
	}
	if len(shallow) > 0 && o.offer.Capabilities.Supports(capability.Shallow) {
		req.Shallows = shallow
		if err := req.Capabilities.Set(capability.Shallow); err != nil {
			return nil, err
		}
	}
	if last, err := objects.Reference(fetched); err == nil {
		req.Haves = []plumbing.Hash{last.Hash()}
	}
	return req, nil
}

// receive writes the answer into the store. What belongs together is written in the
// order in which a fetch that is killed does no harm: the pack, where the history
// ends, and at last, by the caller, that it is there.
func receive(ctx context.Context, objects *filesystem.Storage, session transport.UploadPackSession, req *packp.UploadPackRequest) error {
	answer, err := session.UploadPack(ctx, req)
	if err != nil {
		if errors.Is(err, transport.ErrEmptyUploadPackRequest) {
			return nil // everything is there
		}
		return err
	}
	defer answer.Close()
	err = packfile.UpdateObjectStorage(objects, demultiplexed(req.Capabilities, answer))
	if err != nil && !errors.Is(err, packfile.ErrEmptyPackfile) {
		return err
	}
	return noteShallow(objects, answer)
}

// demultiplexed takes the pack out of what else the server says, to people.
func demultiplexed(caps *capability.List, answer io.Reader) io.Reader {
	switch {
	case caps.Supports(capability.Sideband64k):
		return sideband.NewDemuxer(sideband.Sideband64k, answer)
	case caps.Supports(capability.Sideband):
		return sideband.NewDemuxer(sideband.Sideband, answer)
	}
	return answer
}

// noteShallow keeps where the history in the store ends.
func noteShallow(objects *filesystem.Storage, answer *packp.UploadPackResponse) error {
	if len(answer.Shallows)+len(answer.Unshallows) == 0 {
		return nil
	}
	before, err := objects.Shallow()
	if err != nil {
		return err
	}
	ends := map[plumbing.Hash]bool{}
	for _, h := range append(before, answer.Shallows...) {
		ends[h] = true
	}
	for _, h := range answer.Unshallows {
		delete(ends, h)
	}
	after := make([]plumbing.Hash, 0, len(ends))
	for h := range ends {
		after = append(after, h)
	}
	return objects.SetShallow(after)
}

// worn tells whether the store has too many packs, or too large ones.
func (s *Store) worn() bool {
	packs, bytes := 0, int64(0)
	_ = filepath.WalkDir(filepath.Join(s.Dir, "objects"), func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil // not there yet: it is new
		}
		if info, err := d.Info(); err == nil {
			bytes += info.Size()
		}
		if strings.HasSuffix(d.Name(), ".pack") {
			packs++
		}
		return nil
	})
	return packs >= maxPacks || bytes > s.MaxBytes
}

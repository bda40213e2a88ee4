package source

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/storer"
	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
)

// Remote is a repository behind smart HTTP.
type Remote struct {
	URL          string
	Username     string
	PasswordFile string // "": nobody logs in
	Depth        int    // commits; 0: all
	Client       *http.Client
	Store        *Store
}

// Look asks the server for its references.
func (r *Remote) Look(ctx context.Context, ref string) (Sighting, error) {
	endpoint, err := transport.NewEndpoint(r.URL)
	if err != nil {
		return nil, fmt.Errorf("address of the repository: %w", err)
	}
	auth, err := r.auth()
	if err != nil {
		return nil, err
	}
	session, err := githttp.NewClient(r.Client).NewUploadPackSession(endpoint, auth)
	if err != nil {
		return nil, fmt.Errorf("open session: %w", err)
	}
	offer, err := session.AdvertisedReferencesContext(ctx)
	if err != nil {
		return nil, fmt.Errorf("list references: %w", err)
	}
	s := &offered{remote: r, session: session, offer: offer}
	if IsHash(ref) {
		s.hash = plumbing.NewHash(ref)
		s.wants, s.depth = s.wantsOf(s.hash)
		return s, nil
	}
	if s.hash, err = lookup(offer, ref); err != nil {
		return nil, err
	}
	s.wants, s.depth = []plumbing.Hash{s.hash}, r.Depth
	return s, nil
}

// auth reads the password anew: it may have been replaced.
func (r *Remote) auth() (transport.AuthMethod, error) {
	if r.PasswordFile == "" {
		return nil, nil
	}
	password, err := os.ReadFile(r.PasswordFile)
	if err != nil {
		return nil, fmt.Errorf("%w: read GITSYNC_PASSWORD_FILE: %w", transport.ErrAuthenticationRequired, err)
	}
	return &githttp.BasicAuth{Username: r.Username, Password: strings.TrimSpace(string(password))}, nil
}

// lookup finds a reference among those offered.
func lookup(offer *packp.AdvRefs, ref string) (plumbing.Hash, error) {
	if ref == "HEAD" && offer.Head != nil {
		return *offer.Head, nil
	}
	for _, name := range names(ref) {
		if hash, found := offer.References[name]; found {
			return hash, nil
		}
	}
	return plumbing.ZeroHash, ErrNoReference
}

// offered is a reference among those that a server offered.
type offered struct {
	remote  *Remote
	session transport.UploadPackSession
	offer   *packp.AdvRefs
	hash    plumbing.Hash
	wants   []plumbing.Hash // what to ask for, to have hash
	depth   int
}

func (o *offered) Hash() plumbing.Hash { return o.hash }

// wantsOf says what to ask for, to have a commit that was named by its hash. Not
// every server gives out one that no reference leads to; then everything is
// fetched, where the commit may be.
func (o *offered) wantsOf(hash plumbing.Hash) (wants []plumbing.Hash, depth int) {
	caps := o.offer.Capabilities
	if caps.Supports(capability.AllowReachableSHA1InWant) || caps.Supports("allow-any-sha1-in-want") {
		return []plumbing.Hash{hash}, o.remote.Depth
	}
	all := map[plumbing.Hash]bool{}
	for _, tip := range o.offer.References {
		if tip == hash {
			return []plumbing.Hash{hash}, o.remote.Depth
		}
		all[tip] = true
	}
	for tip := range all {
		wants = append(wants, tip)
	}
	return wants, 0
}

// Get fetches what the store does not have.
func (o *offered) Get(ctx context.Context) (storer.EncodedObjectStorer, plumbing.Hash, error) {
	if len(o.wants) == 0 {
		return nil, plumbing.ZeroHash, transport.ErrEmptyRemoteRepository
	}
	objects, err := o.remote.Store.fetch(ctx, o)
	if err != nil {
		return nil, plumbing.ZeroHash, err
	}
	commit, err := peel(objects, o.hash)
	return objects, commit, err
}

package wire

import (
	"fmt"
	"net/http"
	"strconv"

	"github.com/flotilla-dev/flotilla/services/ownership/lease"
)

// The header fields of a claim.
const (
	OwnerHeader   = "Ownership-Owner"
	TokenHeader   = "Ownership-Token"
	VersionHeader = "Ownership-Version"
)

// A Claim is in whose name a request is made: the owner, its fencing token, and the
// version of the record that says so.
type Claim struct {
	Owner   string // a lease.Identity
	Token   lease.Token
	Version string // opaque, for logs and for a look at the store
}

// Put writes the claim into a header.
func (c Claim) Put(h http.Header) {
	h.Set(OwnerHeader, c.Owner)
	h.Set(TokenHeader, strconv.FormatUint(uint64(c.Token), 10))
	h.Set(VersionHeader, c.Version)
}

// maxVersion bounds an opaque version.
const maxVersion = 128

// ParseClaim reads the claim of a request. Each of its fields is needed, once.
func ParseClaim(h http.Header) (Claim, error) {
	for _, name := range []string{OwnerHeader, TokenHeader, VersionHeader} {
		if len(h.Values(name)) != 1 {
			return Claim{}, fmt.Errorf("want the header field %s, once", name)
		}
	}
	owner, err := lease.ParseIdentity(h.Get(OwnerHeader))
	if err != nil {
		return Claim{}, fmt.Errorf("%s: %w", OwnerHeader, err)
	}
	token, err := strconv.ParseUint(h.Get(TokenHeader), 10, 64)
	if err != nil || token == 0 {
		return Claim{}, fmt.Errorf("%s: want a number above 0", TokenHeader)
	}
	version := h.Get(VersionHeader)
	if version == "" || len(version) > maxVersion {
		return Claim{}, fmt.Errorf("%s: want 1 to %d characters", VersionHeader, maxVersion)
	}
	return Claim{Owner: owner.String(), Token: lease.Token(token), Version: version}, nil
}

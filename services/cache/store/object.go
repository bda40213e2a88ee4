package store

import (
	"sync/atomic"
	"time"

	"github.com/flotilla-dev/flotilla/services/cache/rfc9111"
)

// Object is one stored response. Everything but checked is written before it is published.
type Object struct {
	Status int
	Header rfc9111.Header
	Meta   rfc9111.Meta
	Body   []byte
	// Selecting are the normalised values of the fields that Vary nominates.
	Selecting []rfc9111.Field
	// Parts is what the policy adds to the key.
	Parts string
	// Tags are the surrogate keys.
	Tags []string
	// Head is Header as it goes on the wire, without status line, Age and Content-Length.
	Head []byte

	checked atomic.Uint64 // number of the last ban that this object is known to survive
}

// MarkBorn says which bans the object needs no check for: those before its request went upstream.
func (o *Object) MarkBorn(ban uint64) { o.checked.Store(ban) }

// Born returns what MarkBorn or a later check left.
func (o *Object) Born() uint64 { return o.checked.Load() }

// overhead is what an object costs besides its bytes: structs, slices, the entry and its policy node.
const overhead = 600

// weight is the bytes that the object is accounted for.
func (o *Object) weight() int {
	n := overhead + len(o.Body) + len(o.Head) + len(o.Parts)
	for _, f := range o.Header {
		n += len(f.Name) + len(f.Value) + 32
	}
	for _, f := range o.Selecting {
		n += len(f.Name) + len(f.Value) + 32
	}
	for _, t := range o.Tags {
		n += len(t) + 16
	}
	return n
}

// Resource is what is known of one host, path and query: its variants, newest first, and whether answers
// could not be stored lately. It is immutable.
type Resource struct {
	Variants []*Object
	// MissUntil, when in the future, says: requests are not to be coalesced (hit-for-miss).
	MissUntil time.Time

	weight uint32
}

// Find returns the newest variant that the request selects.
func (r *Resource) Find(parts string, s *rfc9111.Selector) *Object {
	for _, o := range r.Variants {
		if o.Parts == parts && s.Matches(o.Selecting) {
			return o
		}
	}
	return nil
}

// weigh accounts for the whole resource.
func weigh(key string, r *Resource) uint32 {
	n := len(key) + overhead
	for _, o := range r.Variants {
		n += o.weight()
	}
	return uint32(min(n, 1<<31))
}

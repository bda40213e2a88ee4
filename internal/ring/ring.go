// Package ring is a consistent hash ring: it maps a key to one of a set of
// named members so that a change of the set moves few keys.
//
// Each member puts points on a circle of 64-bit numbers (160 for each unit of
// weight, as in ketama); a key belongs to the member of the first point at or
// after the key's own hash. The points of a member depend on its name, its
// weight and nothing else, therefore:
//
//   - A member that joins N others takes about 1/(N+1) of the keys, in equal
//     parts from all of them, and no key moves between two old members.
//   - A member that leaves gives away its own keys, spread over all the others,
//     and nobody else's key moves.
//   - Everybody who knows the same names computes the same ring, in whatever
//     order he learnt them. No coordination is needed, and a restart changes
//     nothing.
//
// (Original ketama divides a fixed number of points by the total weight, so a
// join there also shifts a few keys between old members. Here it does not.)
//
// Shares are uneven by chance: with 160 points the standard deviation of a
// member's share is about 8 % of it. More points make it smaller and the ring
// larger (σ ≈ 1/√points).
//
// A Ring never changes. Whoever follows a changing membership builds a new one
// and swaps a pointer; a look-up needs no lock and allocates nothing.
package ring

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"strconv"

	"github.com/cespare/xxhash/v2"
)

// DefaultPoints is how many points a member of weight 1 has.
const DefaultPoints = 160

// MaxMembers bounds a ring, so that a walk over its members can keep track of
// those it has seen without allocating.
const MaxMembers = 1024

// A Member is a name on the ring. Weight 0 means 1; a member of weight 3 gets
// three times the keys of one of weight 1.
type Member struct {
	Name   string
	Weight int
}

// Named returns members of weight 1.
func Named(names ...string) []Member {
	members := make([]Member, len(names))
	for i, name := range names {
		members[i].Name = name
	}
	return members
}

// Options change how a ring is computed. Everybody who shares keys must use the
// same ones; the zero value is right for all processes of the fleet.
type Options struct {
	// Points for each unit of weight; 0 means DefaultPoints.
	Points int
	// Hash places keys, and point i of the member m at Hash("m-i"). Nil means
	// xxHash64, whose values are fixed by its specification.
	Hash func(string) uint64
}

// A Ring maps keys to members. The nil *Ring has no members.
type Ring struct {
	hash   func(string) uint64
	names  []string // in the order given to New
	places []uint64 // ascending
	owners []uint16 // owners[i] is the index in names of the point at places[i]
}

// New places members on a ring. Two members of one name, a nameless one, a
// negative weight and more than MaxMembers are errors; no members are not.
func New(o Options, members ...Member) (*Ring, error) {
	if err := check(o, members); err != nil {
		return nil, fmt.Errorf("build ring: %w", err)
	}
	if o.Points == 0 {
		o.Points = DefaultPoints
	}
	if o.Hash == nil {
		o.Hash = xxhash.Sum64String
	}
	r := &Ring{hash: o.Hash, names: make([]string, len(members))}
	var points []point
	for i, m := range members {
		r.names[i] = m.Name
		for p := range o.Points * max(m.Weight, 1) {
			points = append(points, point{o.Hash(m.Name + "-" + strconv.Itoa(p)), uint16(i)})
		}
	}
	// The name decides between two points at one place, because the order in
	// which members were given must not.
	sort.Slice(points, func(a, b int) bool {
		if points[a].place != points[b].place {
			return points[a].place < points[b].place
		}
		return r.names[points[a].owner] < r.names[points[b].owner]
	})
	r.places, r.owners = make([]uint64, len(points)), make([]uint16, len(points))
	for i, p := range points {
		r.places[i], r.owners[i] = p.place, p.owner
	}
	return r, nil
}

type point struct {
	place uint64
	owner uint16
}

func check(o Options, members []Member) error {
	var errs []error
	if o.Points < 0 {
		errs = append(errs, fmt.Errorf("%d points per member", o.Points))
	}
	if len(members) > MaxMembers {
		errs = append(errs, fmt.Errorf("%d members, at most %d are possible", len(members), MaxMembers))
	}
	seen := make(map[string]bool, len(members))
	for _, m := range members {
		switch {
		case m.Name == "":
			errs = append(errs, errors.New("a member without a name"))
		case m.Weight < 0:
			errs = append(errs, fmt.Errorf("member %q: weight %d is negative", m.Name, m.Weight))
		case seen[m.Name]:
			errs = append(errs, fmt.Errorf("member %q is there twice", m.Name))
		}
		seen[m.Name] = true
	}
	return errors.Join(errs...)
}

// Len returns the number of members.
func (r *Ring) Len() int {
	if r == nil {
		return 0
	}
	return len(r.names)
}

// Members returns a copy of the members' names in the order given to New.
func (r *Ring) Members() []string {
	if r == nil {
		return nil
	}
	return slices.Clone(r.names)
}

// Owner returns the name of the member that key belongs to, or "" of an empty
// ring.
func (r *Ring) Owner(key string) string {
	if r.Len() == 0 {
		return ""
	}
	return r.names[r.owners[r.seek(key)]]
}

// seek returns the index of the first point at or after the key's hash.
func (r *Ring) seek(key string) int {
	h := r.hash(key)
	low, high := 0, len(r.places)
	for low < high {
		mid := int(uint(low+high) >> 1)
		if r.places[mid] < h {
			low = mid + 1
		} else {
			high = mid
		}
	}
	if low == len(r.places) {
		return 0 // past the last point the circle begins again
	}
	return low
}
